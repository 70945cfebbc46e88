# SPDX-License-Identifier: MIT
"""What makes a replica forget, and what it tells the others: messages as they go between them, without a server."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.domain.ports import Absent
from providers.remembering.forgetting import Forgetting
from providers.remembering.memory import Memory
from providers.remembering.names import Names
from tests.support.virtual_time import in_virtual_time, now

SECRET = "of all replicas"
SHARED = Names(SECRET)


class Replica:
    """One that remembers two users, on a line to others that may be cut; keeps what it sends, and does not hear it."""

    def __init__(self, secret: str = SECRET) -> None:
        self.memory = Memory(1024**2, 20.0)
        self.sent: list[bytes] = []
        self.stands = True
        self.received = self.changes = 0
        self.secret = secret
        self.forgetting = Forgetting(self.memory, self, self, now)
        self.forgetting.share(lambda: self.secret, self.changed)
        for name in ("ada", "eda"):
            self.remember(name, -1.0)

    def remember(self, name: str, began: float) -> None:
        names = self.forgetting.names
        self.memory.remember(b"u" + names.username(name), names.user(f"auth0|{name}"), name.encode(), began)

    def listen(self, heard, lost, back) -> None:
        self.heard, self.lost, self.back = heard, lost, back

    async def tell(self, message: bytes) -> bool:
        await asyncio.sleep(0.1)
        if self.stands:
            self.sent.append(message)
        return self.stands

    def forget_received(self) -> None:
        self.received += 1

    def changed(self) -> None:
        self.changes += 1

    def known(self) -> list[str]:
        names = self.forgetting.names
        return [name for name in ("ada", "eda") if self.memory.find(b"u" + names.username(name))]

    def fresh(self) -> list[str]:
        names = self.forgetting.names
        found = {name: self.memory.find(b"u" + names.username(name)) for name in ("ada", "eda")}
        return [name for name, one in found.items() if one is not None and one.settled]

    def told(self) -> list[tuple[bytes, list[bytes]]]:
        return [SHARED.understood(message) for message in self.sent]


@in_virtual_time
async def test_a_change_is_forgotten_at_once_and_told():
    one, other = Replica(), Replica()
    one.forgetting.note("auth0|ada", "", addresses=["ada@example.org", ""])
    assert (one.known(), one.changes) == (["eda"], 1)
    await asyncio.sleep(1)
    assert one.told() == [(b"f", [SHARED.user("auth0|ada"), SHARED.address("ada@example.org")])]
    other.heard(one.sent[0])
    assert (other.known(), other.received, other.changes) == (["eda"], 1, 1)
    assert other.sent == []


@in_virtual_time
async def test_what_is_forgotten_is_told_when_it_returns():
    one = Replica()
    await one.forgetting.forget("auth0|ada", addresses=["a@b.c"])
    assert (one.known(), now()) == (["eda"], pytest.approx(0.1))
    assert one.told() == [(b"f", [SHARED.user("auth0|ada"), SHARED.address("a@b.c")])]


@in_virtual_time
async def test_that_changes_may_have_been_missed_is_told_too():
    one, other = Replica(), Replica()
    assert one.fresh() == ["ada", "eda"]
    await one.forgetting.forget_fresh()
    assert (one.fresh(), one.known(), one.told(), one.changes) == ([], ["ada", "eda"], [(b"n", [])], 1)
    other.heard(one.sent[0])
    assert (other.fresh(), other.known(), other.changes) == ([], ["ada", "eda"], 1)


@in_virtual_time
async def test_a_message_that_nobody_with_the_secret_sent_lets_nothing_stand_in_for_a_call():
    one = Replica()
    for number, message in enumerate((b"forget all", b"", *Names("another").messages(b"f", [b"x" * 16])), 1):
        one.heard(message)
        assert (one.fresh(), one.known(), one.received, one.changes) == ([], ["ada", "eda"], number, number)


@in_virtual_time
async def test_everything_is_forgotten_when_that_is_told_and_of_kinds_that_nobody_knows_nothing():
    one = Replica()
    for message in SHARED.messages(b"?", []):
        one.heard(message)
    assert (one.fresh(), one.changes) == (["ada", "eda"], 0)
    heard: list[int] = []
    one.forgetting.hear(b"?", lambda: heard.append(one.changes))
    for message in SHARED.messages(b"?", [time.time_ns().to_bytes(16, "big")]):
        one.heard(message)
    assert heard == [0]
    for message in SHARED.messages(b"a", []):
        one.heard(message)
    assert one.known() == []


@in_virtual_time
async def test_who_hears_nothing_any_more_and_who_hears_again_asks_anew():
    one = Replica()
    one.lost()
    assert (one.fresh(), one.known(), one.changes) == ([], ["ada", "eda"], 1)
    await asyncio.sleep(1)
    one.remember("ada", now())
    assert one.fresh() == ["ada"]
    one.back()
    assert (one.fresh(), one.changes, one.sent) == ([], 2, [])


@in_virtual_time
async def test_what_could_not_be_told_is_told_when_the_line_is_back_and_once():
    one = Replica()
    one.stands = False
    await one.forgetting.forget("auth0|ada")
    await one.forgetting.forget("auth0|eda", "auth0|ada")
    await one.forgetting.tell(b"?")  # of other kinds nothing is owed
    one.stands = True
    one.back()
    await asyncio.sleep(1)
    one.back()
    await asyncio.sleep(1)
    assert one.told() == [(b"f", [SHARED.user("auth0|ada"), SHARED.user("auth0|eda")])]


MOMENT = 1_900_000_000 * 10**9
SECOND = 10**9


class Told:
    """A replica whose clock can be moved (nanoseconds), and how many messages of the kind `?` it has taken up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.heard = MOMENT, 0
        monkeypatch.setattr("providers.remembering.forgetting.time.time_ns", lambda: self.now)
        self.replica = Replica()
        self.replica.forgetting.hear(b"?", self._hear)

    def _hear(self) -> None:
        self.heard += 1

    def takes_up(self, sent_at: int) -> bool:
        before = self.heard
        for message in SHARED.messages(b"?", [sent_at.to_bytes(16, "big")]):
            self.replica.heard(message)
        return self.heard > before


@pytest.mark.parametrize(("seconds", "taken"), [(-5, True), (5, True), (-5.001, False), (5.001, False), (0, True)])
def test_a_message_that_is_told_once_may_be_five_seconds_off(monkeypatch, seconds, taken):
    assert Told(monkeypatch).takes_up(MOMENT + int(seconds * SECOND)) is taken


def test_a_message_that_is_told_once_is_taken_up_once_and_none_that_was_sent_before_it(monkeypatch):
    told = Told(monkeypatch)
    moments = (MOMENT, MOMENT, MOMENT - 1, MOMENT + 1, MOMENT + 4 * SECOND, MOMENT + 3 * SECOND)
    assert [told.takes_up(moment) for moment in moments] == [True, False, False, True, True, False]
    for message in SHARED.messages(b"?", []):
        told.replica.heard(message)
    assert (told.heard, told.replica.received) == (3, 0)


def test_after_a_clock_was_put_back_messages_are_taken_up_again(monkeypatch):
    told = Told(monkeypatch)
    assert told.takes_up(MOMENT + 4 * SECOND)
    told.now = MOMENT - SECOND
    assert not told.takes_up(MOMENT)
    told.now = MOMENT - SECOND - 1
    assert told.takes_up(MOMENT)


@in_virtual_time
async def test_a_message_that_is_told_once_says_when_it_was_sent(monkeypatch):
    told, other = Told(monkeypatch), Replica(secret="")
    await told.replica.forgetting.tell(b"?")
    assert told.replica.told() == [(b"?", [MOMENT.to_bytes(16, "big")])]
    await other.forgetting.tell(b"?")
    assert other.sent == []


@pytest.mark.parametrize(("owed", "kind"), [(4095, b"f"), (4096, b"a")])
@in_virtual_time
async def test_of_too_much_that_is_owed_all_is_forgotten(owed, kind):
    one = Replica()
    one.stands = False
    await one.forgetting.forget(*(f"auth0|user{number}" for number in range(owed + 5 * (kind == b"a"))))
    one.stands = True
    one.back()
    await asyncio.sleep(60)
    assert {message[0] for message in one.told()} == {kind}
    assert sum(len(named) for _, named in one.told()) == (owed if kind == b"f" else 0)


@in_virtual_time
async def test_without_a_secret_the_others_are_told_to_ask_anew():
    one = Replica(secret="")
    await one.forgetting.forget("auth0|ada", "auth0|eda")
    assert one.sent == [b"forget all"]
    assert one.known() == []


@in_virtual_time
async def test_once_there_is_a_secret_what_was_remembered_without_it_is_gone():
    one = Replica(secret="")
    random = one.forgetting.names
    assert (one.known(), random.shared, one.forgetting.names is random) == (["ada", "eda"], False, True)
    one.secret = SECRET
    assert (one.forgetting.names.shared, one.memory.entries) == (True, 0)
    one.remember("ada", now() + 1)
    assert one.known() == ["ada"]


@in_virtual_time
async def test_another_secret_is_followed_and_what_was_remembered_before_is_gone():
    one, other = Replica(), Replica()
    for replica in (one, other):
        replica.secret = "another"
        assert replica.known() == []
        replica.remember("ada", now() + 1)
        replica.remember("eda", now() + 1)
    await asyncio.sleep(2)
    await one.forgetting.forget("auth0|ada")
    other.heard(one.sent[0])
    assert other.known() == ["eda"]


@in_virtual_time
async def test_what_is_owed_by_the_hashes_of_a_former_secret_becomes_forget_all():
    one, other = Replica(), Replica(secret="another")
    one.stands = False
    await one.forgetting.forget("auth0|ada")
    one.stands, one.secret = True, "another"
    one.back()
    await asyncio.sleep(1)
    assert other.known() == ["ada", "eda"]
    other.heard(one.sent[0])
    assert (len(one.sent), other.known()) == (1, [])


class Capability:
    """Notes changes while it works."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def change(self, *user_ids: str, fails: bool = False) -> str:
        for user_id in user_ids:
            self._replica.forgetting.note(user_id)
        await asyncio.sleep(1)
        if fails:
            raise ZeroDivisionError
        return "changed"


@in_virtual_time
async def test_what_a_capability_changes_is_told_in_one_message_before_it_returns():
    one = Replica()
    telling = one.forgetting.telling(Capability(one))
    assert await telling.change("auth0|ada", "auth0|eda", "auth0|ada") == "changed"
    assert now() == pytest.approx(1.1)
    assert one.told() == [(b"f", [SHARED.user("auth0|ada"), SHARED.user("auth0|eda")])]
    with pytest.raises(ZeroDivisionError):
        await telling.change("auth0|ada", fails=True)
    assert len(one.sent) == 2
    await telling.change()
    assert len(one.sent) == 2
    one.forgetting.note("auth0|ada")  # again by itself
    await asyncio.sleep(1)
    assert len(one.sent) == 3


@in_virtual_time
async def test_two_changes_at_once_are_told_each_by_itself():
    one = Replica()
    telling = one.forgetting.telling(Capability(one))
    await asyncio.gather(telling.change("auth0|ada"), telling.change("auth0|eda"))
    assert sorted(one.told()) == sorted((b"f", [SHARED.user(f"auth0|{name}")]) for name in ("ada", "eda"))


@pytest.mark.parametrize("before", [SECRET, ""])
@in_virtual_time
async def test_what_a_capability_changes_while_the_secret_becomes_another_is_told_as_forget_all(before):
    one, other = Replica(secret=before), Replica(secret="another")
    changing = asyncio.create_task(one.forgetting.telling(Capability(one)).change("auth0|ada"))
    await asyncio.sleep(0.5)
    one.secret = "another"
    await changing
    other.heard(one.sent[0])
    assert (len(one.sent), other.known()) == (1, [])


def test_what_is_absent_stays_so():
    absent = Absent(ZeroDivisionError)
    assert Replica().forgetting.telling(absent) is absent
    assert Replica().forgetting.telling(None) is None


@in_virtual_time
async def test_what_is_being_told_ends_with_the_service():
    one = Replica()
    one.forgetting.note("auth0|ada")
    await asyncio.sleep(0.05)
    await one.forgetting.close()
    assert (one.sent, len(asyncio.all_tasks()), now()) == ([], 1, pytest.approx(0.05))
