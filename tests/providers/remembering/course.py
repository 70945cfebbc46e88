# SPDX-License-Identifier: MIT
"""Writers, each with users of its own, and readers of everybody, who all know what must be seen."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Protocol

from app.domain.tasks import ended

if TYPE_CHECKING:
    from collections.abc import Callable

WRITERS = 6
READERS = 4
READS = 4
"""Reads after each change, at once: more than there are replicas."""


class Service(Protocol):
    """Replicas that are asked, and the tenant behind them."""

    async def ask(self, subject: str, body: Any) -> Any:
        """Return the reply: the object, or the bare text; None when it was lost."""
        ...


def name_of(number):
    return f"user{number:05}"


def people(users):
    """Return fixture users by their subject identifiers, as the tenant takes them."""
    return {
        f"auth0|{name}": {
            "username": name,
            "email": f"{name}@example.org",
            "metadata": {"city": "0"},
            "alternates": [(f"{name}@other.example", True)],
        }
        for name in map(name_of, range(users))
    }


class Course:
    """Changes at random, and reads that judge what they see.

    `lost`: replicas may be killed, so that a change can go without a reply. Then nobody knows whether it was made, and
    only the city is changed, whose numbers grow.
    """

    def __init__(self, service: Service, token: Callable[[str], str], users: int, seed: int, *, lost: bool = False):
        self.service, self.token, self.random, self.users = service, token, random.Random(seed), users
        self.city = [0] * users
        self.attempts = [0] * users
        self.primary = [0] * users
        self.made = 0
        self.lost = lost
        self.old: list[str] = []
        self.writing: set[int] = set()

    async def read(self, number):
        """Read in one of the ways; what was confirmed before must be in it, or what is written meanwhile."""
        name, city, primary = name_of(number), self.city[number], self.primary[number]
        way = self.random.randrange(4)
        if way == 0:
            reply = await self.service.ask("user_emails.read", {"user": {"auth_token": f"auth0|{name}"}})
            if reply is not None:
                assert reply["success"], reply
                self.judge(number, "primary", primary, int(reply["data"]["primary_email"].endswith("other.example")))
        elif way == 1:
            domain = self.random.choice(("example.org", "other.example"))
            assert await self.service.ask("email_to_sub", f"{name}@{domain}") in {f"auth0|{name}", None}
        else:
            token = self.token(f"auth0|{name}") if way == 2 else name
            reply = await self.service.ask("user_metadata.read", token)
            if reply is not None:
                assert reply["success"], reply
                self.judge(number, "city", city, int(reply["data"]["city"]))

    def judge(self, number, what, confirmed, seen):
        if what == "city" and seen < confirmed:
            self.old.append(f"user {number}: {what} {seen} after {confirmed}")
        if what == "primary" and seen != confirmed and self.primary[number] == confirmed and number not in self.writing:
            self.old.append(f"user {number}: {what} {seen} after {confirmed}")

    async def change(self, number):
        """Make a change, and read at once what must show it."""
        self.writing = self.writing | {number}
        if self.lost or self.random.random() < 0.7:
            await self._move(number)
        else:
            await self._swap(number)
        self.writing = self.writing - {number}
        self.made += 1
        await asyncio.gather(*(self.read(number) for _ in range(READS)))

    async def _move(self, number):
        """Change the city to the next number; one whose reply was lost is not made again, but passed."""
        token = self.token(f"auth0|{name_of(number)}")
        while True:
            self.attempts[number] += 1
            body = {"token": token, "user_metadata": {"city": str(self.attempts[number])}}
            reply = await self.service.ask("user_metadata.update", body)
            if reply is not None:
                break
        assert reply["success"], reply
        self.city[number] = self.attempts[number]

    async def _swap(self, number):
        """Change which of the two addresses is the primary one."""
        name = name_of(number)
        domain = ("other.example", "example.org")[self.primary[number]]
        body = {"user": {"auth_token": self.token(f"auth0|{name}")}, "email": f"{name}@{domain}"}
        reply = await self.service.ask("user_emails.set_primary", body)
        assert reply["success"], reply
        self.primary[number] = 1 - self.primary[number]

    async def write(self, mine, changes):
        for _ in range(changes):
            await self.change(self.random.choice(mine))

    async def read_on(self):
        while True:
            await self.read(self.random.randrange(self.users))

    async def run(self, changes):
        for start in range(0, self.users, 50):  # everybody is remembered by all
            numbers = [n for n in range(start, min(self.users, start + 50)) for _ in range(READS)]
            await asyncio.gather(*(self.read(number) for number in numbers))
        readers = [asyncio.create_task(self.read_on()) for _ in range(READERS)]
        try:
            shares = [(changes + writer) // WRITERS for writer in range(WRITERS)]
            mine = [list(range(writer, self.users, WRITERS)) for writer in range(WRITERS)]
            await asyncio.gather(*map(self.write, mine, shares))
        finally:
            await asyncio.gather(*map(ended, readers))
        failed = [reader.exception() for reader in readers if not reader.cancelled()]
        assert failed == [], failed
