# SPDX-License-Identifier: MIT
"""What replicas tell each other: what is owed while NATS is away, and which messages count."""

from __future__ import annotations

import asyncio
import time

import pytest

from providers.remembering.forgetting import Forgetting
from providers.remembering.memory import Memory
from providers.remembering.names import Names

SECRET = "a secret of all replicas"


class Line:
    """Carries messages, or does not."""

    def __init__(self):
        self.stands, self.told = True, []

    def listen(self, heard, lost, back):
        self.heard, self.lost, self.back = heard, lost, back

    async def tell(self, message):
        if self.stands:
            self.told.append(message)
        return self.stands

    @property
    def kinds(self):
        return [message[:1] for message in self.told]


class Notes:
    """Counts messages that tell to forget."""

    received = 0

    def forget_received(self):
        self.received += 1


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def forgetting(line, notes):
    forgetting = Forgetting(Memory(2**20, 20.0), line, notes, time.monotonic)
    forgetting.share(lambda: SECRET, lambda: None)
    return forgetting


async def reconnected(line):
    line.stands = True
    line.back()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_could_not_be_told_is_told_when_the_connection_is_back(forgetting, line):
    line.stands = False
    await forgetting.forget("auth0|ada", addresses=["ada@example.org"])
    await forgetting.forget_fresh()
    await reconnected(line)
    assert sorted(line.kinds) == [b"f", b"n"]
    (users,) = (message for message in line.told if message[:1] == b"f")
    names = Names(SECRET)
    assert names.understood(users) == (b"f", [names.user("auth0|ada"), names.address("ada@example.org")])


@pytest.mark.parametrize("users", [5_000, 50_000])
async def test_what_is_owed_is_bounded_and_past_that_everything_is_to_be_forgotten(users, forgetting, line):
    line.stands = False
    for number in range(users):
        await forgetting.forget(f"auth0|{number}")
    await forgetting.forget_fresh()
    await reconnected(line)
    assert line.kinds == [b"a"]


async def test_that_something_is_so_is_not_owed(forgetting, line):
    line.stands = False
    await forgetting.tell(b"s")
    await reconnected(line)
    assert line.told == []


async def test_that_something_is_so_counts_once_and_for_seconds(forgetting, line, notes):
    heard = []
    forgetting.hear(b"s", lambda: heard.append(1))
    await forgetting.tell(b"s")
    for _ in range(3):
        line.heard(line.told[0])
    assert len(heard) == 1
    names, now = Names(SECRET), time.time_ns()
    for moment in (now - 3600 * 10**9, now - 6 * 10**9, now + 60 * 10**9, 0, 2**127):
        (message,) = names.messages(b"s", [moment.to_bytes(16, "big")])
        line.heard(message)
    (bare,) = names.messages(b"s", [])
    line.heard(bare)
    (of_another_key,) = Names("another").messages(b"s", [time.time_ns().to_bytes(16, "big")])
    line.heard(of_another_key)
    assert len(heard) == 1
    assert notes.received == 1
    await forgetting.tell(b"s")
    line.heard(line.told[1])
    assert len(heard) == 2
