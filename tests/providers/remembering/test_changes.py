# SPDX-License-Identifier: MIT
"""Changes at random over three replicas that remember: no read after a confirmed change shows what was before it.

`REMEMBERED_CHANGES=10000` makes that many.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random

import pytest

from app.cli.dev.nats_server import nats_server
from app.domain.tasks import ended
from tests.providers.remembering.replicas import FORGET, replicas

CHANGES = int(os.environ.get("REMEMBERED_CHANGES", "60"))
USERS = max(30, CHANGES // 3)
WRITERS = 6
READERS = 4
READS = 4
"""Reads after each change, at once: more than there are replicas."""


def name_of(number):
    return f"user{number:05}"


def people(server):
    for number in range(USERS):
        name = name_of(number)
        server.tenant.add_user(
            f"auth0|{name}",
            username=name,
            email=f"{name}@example.org",
            metadata={"city": "0"},
            alternates=[(f"{name}@other.example", True)],
        )


class Course:
    """Writers, each with users of its own, and readers of everybody, who all know what must be seen."""

    def __init__(self, service, seed):
        self.service, self.random = service, random.Random(seed)
        self.city = [0] * USERS
        self.primary = [0] * USERS
        self.made = 0
        self.old: list[str] = []
        self.writing: set[int] = set()

    async def read(self, number):
        """Read in one of the ways; what was confirmed before must be in it, or what is written meanwhile."""
        name, city, primary = name_of(number), self.city[number], self.primary[number]
        way = self.random.randrange(4)
        if way == 0:
            body = {"user": {"auth_token": f"auth0|{name}"}}
            addresses = (await self.service.ask("user_emails.read", body))["data"]["primary_email"]
            return self.judge(number, "primary", primary, int(addresses.endswith("other.example")))
        if way == 1:
            domain = self.random.choice(("example.org", "other.example"))
            assert await self.service.ask("email_to_sub", f"{name}@{domain}") == f"auth0|{name}"
            return None
        token = self.service.tenant.access_token(f"auth0|{name}") if way == 2 else name
        return self.judge(number, "city", city, int(await self.service.city(token)))

    def judge(self, number, what, confirmed, seen):
        if what == "city" and seen < confirmed:
            self.old.append(f"user {number}: {what} {seen} after {confirmed}")
        if what == "primary" and seen != confirmed and self.primary[number] == confirmed and number not in self.writing:
            self.old.append(f"user {number}: {what} {seen} after {confirmed}")

    async def change(self, number):
        """Make a change, and read at once what must show it."""
        name = name_of(number)
        token = self.service.tenant.access_token(f"auth0|{name}")
        self.writing = self.writing | {number}
        if self.random.random() < 0.7:
            body = {"token": token, "user_metadata": {"city": str(self.city[number] + 1)}}
            reply = await self.service.ask("user_metadata.update", body)
            self.city[number] += 1
        else:
            domain = ("other.example", "example.org")[self.primary[number]]
            body = {"user": {"auth_token": token}, "email": f"{name}@{domain}"}
            reply = await self.service.ask("user_emails.set_primary", body)
            self.primary[number] = 1 - self.primary[number]
        assert reply["success"], reply
        self.writing = self.writing - {number}
        self.made += 1
        await asyncio.gather(*(self.read(number) for _ in range(READS)))

    async def write(self, mine, changes):
        for _ in range(changes):
            await self.change(self.random.choice(mine))

    async def read_on(self):
        while True:
            await self.read(self.random.randrange(USERS))

    async def run(self, changes):
        for start in range(0, USERS, 50):  # everybody is remembered by all
            numbers = [n for n in range(start, min(USERS, start + 50)) for _ in range(READS)]
            await asyncio.gather(*(self.read(number) for number in numbers))
        readers = [asyncio.create_task(self.read_on()) for _ in range(READERS)]
        try:
            mine = [list(range(writer, USERS, WRITERS)) for writer in range(WRITERS)]
            await asyncio.gather(*(self.write(each, changes // WRITERS) for each in mine))
        finally:
            await asyncio.gather(*map(ended, readers))


async def test_no_read_after_a_confirmed_change_shows_the_state_before_it(server, nats):
    people(server)
    async with replicas(server, nats.url, 3, READ_FRESH_FOR="10m") as service:
        course = Course(service, seed=1)
        await course.run(CHANGES)
        assert (course.old, course.made) == ([], CHANGES)
        assert service.counted("auth_service_reads_total", source="fresh") > 0
        # Every message reaches all three.
        assert service.counted("auth_service_forgets_received_total") >= 3 * CHANGES


async def test_what_was_changed_while_a_replica_was_cut_off_is_seen_by_it(server):
    with nats_server() as away:
        async with replicas(server, away.url, 3, READ_FRESH_FOR="10m", NATS_MAX_RECONNECT="-1") as service:
            for round_ in itertools.count(1):
                await service.everywhere("user_metadata.read", "ada")
                away.stop()
                away.start()
                await asyncio.sleep(0.2)
                server.tenant.accounts.change(server.tenant.user("ada"), user_metadata={"city": f"City {round_}"})
                reply = await service.everywhere("user_metadata.read", "ada")
                assert reply["data"]["city"] == f"City {round_}"
                if round_ == 2:
                    break


async def test_a_change_is_told_before_its_reply_is_there(server, nats):
    async with replicas(server, nats.url, 1) as service:
        heard = await service.client.subscribe(FORGET)
        await service.client.flush()
        await service.move("ada", "Turin")
        assert (await heard.next_msg(timeout=0.001)).subject == FORGET


async def test_a_replica_without_the_secret_makes_the_others_ask_again(server, nats):
    async with replicas(server, nats.url, 2, READ_FRESH_FOR="10m") as service:
        await service.everywhere("user_metadata.read", "ada")
        server.tenant.accounts.change(server.tenant.user("ada"), user_metadata={"city": "Turin"})
        assert (await service.everywhere("user_metadata.read", "ada"))["data"]["city"] != "Turin"
        await service.client.publish(FORGET, b"forget all")
        await service.client.flush()
        assert (await service.everywhere("user_metadata.read", "ada"))["data"]["city"] == "Turin"


@pytest.mark.parametrize("subject", ["user_emails.set_primary", "email_linking.send_verification"])
async def test_what_a_write_depends_on_is_not_taken_from_memory(subject, server, nats):
    """An address that was verified, or given to somebody, in the tenant itself."""
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        await service.ask("user_emails.read", {"user": {"auth_token": server.tenant.access_token("grace.hopper")}})
        await service.ask("email_to_sub", "grace@new.example")
        server.tenant.add_user(
            "auth0|grace.hopper",
            username="grace.hopper",
            email="grace@example.org",
            alternates=[("grace@new.example", True)],
        )
        if subject == "user_emails.set_primary":
            token = server.tenant.access_token("grace.hopper")
            reply = await service.ask(subject, {"user": {"auth_token": token}, "email": "grace@new.example"})
            assert reply == {"success": True, "message": "primary email updated successfully"}
        else:
            reply = await service.ask(subject, "grace@new.example")
            assert reply == {"success": False, "error": "email already linked"}
