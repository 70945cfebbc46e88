# SPDX-License-Identifier: MIT
"""Random histories of one address, or one social identity: whatever goes wrong on the way, it has one owner."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from app.domain.codes import StaleRevision
from app.domain.errors import NotLinked, ServiceError
from app.domain.spellings import same
from app.domain.users import Address
from providers.authelia.cluster.imports import Imports
from providers.authelia.cluster.users_file import UsersFile
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import Users
from tests.support.basics import unsigned
from tests.support.parts import caller
from tests.support.unreliable import TROUBLES, Killed, Proving, SharedBucket, Trouble, UnreliableBucket

if TYPE_CHECKING:
    from tests.support.unreliable import Write

WANTED = Address("wanted@example.org")
OWN = {name: Address(f"{name}@example.org") for name in ("ada", "grace", "newcomer")}
FILE = f"users: {{newcomer: {{email: {WANTED}}}}}"

SEEDS = {
    "none": range(20),
    "kills": range(60),
    "lost answers": range(60),
    "late writes": range(750, 950),
    "clocks apart": range(200, 450),
    "all": range(150, 450),
    "many": range(100),
}
"""Few histories depend on any one step of a claim; among these some do for most steps."""


@dataclass
class Step:
    """What a process of its own does, or a write that arrives late; it begins and ends at moments of the history."""

    kind: str
    username: str
    clock: float
    began: int
    ended: float = float("inf")
    result: str = "under way"

    def __str__(self) -> str:
        return f"{self.began}-{self.ended}: {self.username}: {self.kind}, clock {self.clock:+.0f} s: {self.result}"


class History:
    """Processes at work for users who want the same thing; `seed` rules what they do, and in which order."""

    kinds: tuple[str, ...]
    often: tuple[int, ...]
    """What a process may do, and how often it does."""

    def __init__(self, seed: int, trouble: Trouble) -> None:
        self.now, self.steps = 1_000_000.0, []
        self.stored, self.claims = (SharedBucket(seed + more, lambda: self.now) for more in (0, 1))
        self.users = self.users_in(self.stored, 0.0)
        self.chance = random.Random(seed)
        self._trouble, self._moments = trouble, itertools.count(1)
        self._late: list[tuple[Step, Write]] = []
        self._told: set[str] = set()

    def users_in(self, bucket: SharedBucket | UnreliableBucket, clock: float) -> Users:
        return Users(bucket.opened, lambda: self.now, lambda: self.now + clock)

    async def run(self) -> None:
        await self._make_users()
        owners: list[str] = []
        for _ in range(12):
            work = [self._work() for _ in range(self.chance.choice((1, 2, 3)))]
            if owners and self.chance.random() < 0.8:
                work.append(self._work("unlink", *owners))
            if self._late and self.chance.random() < 0.3:
                work.append(self._arrive())
            self.stored.shared = self.claims.shared = len(work) > 1
            await asyncio.gather(*work)
            self.stored.shared = self.claims.shared = False
            owners = await self._owners()
            self.now += self.chance.choice((5, 61))
        while self._late:
            await self._arrive()
        self.now += 61
        for name, record in (await self._records()).items():
            await self.users.repair(name, record)
        await self.check(await self._owners())

    async def _make_users(self) -> None:
        """Make the users; most of the time the newcomer is there, with an address, but without a primary one."""
        for name in ("ada", "grace"):
            await self.users.create(name, OWN[name], name)
        if self.chance.random() < 0.75:
            own = OWN["newcomer"]
            await self.users.create("newcomer", Address(""), "Newcomer")
            await self.users.claim("newcomer", own)
            await self.users.change("newcomer", lambda record: records.with_verified(record, own))
        self.now += 120

    async def _records(self) -> dict[str, records.Record]:
        found = {name: await self.users.find(name) for name in OWN}
        return {name: record for name, record in found.items() if record is not None}

    async def _owners(self) -> list[str]:
        """Return who has it: one at most, and whoever was told of success and has not unlinked it since."""
        owners = [name for name, record in (await self._records()).items() if self.has(name, record)]
        assert len(owners) < 2
        assert self._told <= {*owners}
        return owners

    async def _work(self, kind: str = "", username: str = "") -> None:
        [any_kind] = self.chance.choices(self.kinds, self.often)
        any_name, clock = self.chance.choice([*OWN]), self.chance.choice(self._trouble.clocks)
        step = self._begun(kind or any_kind, username or any_name, clock)
        if step.kind == "unlink":
            self._told.discard(step.username)
        stored, claims = (
            UnreliableBucket(bucket, self._trouble, self.chance, lambda write: self._late.append((step, write)))
            for bucket in (self.stored, self.claims)
        )
        try:
            await self.do(step, self.users_in(stored, clock), claims)
        except (ServiceError, Killed) as error:
            self._end(step, type(error).__name__)
        else:
            self._end(step, "done")
            if step.kind in ("link", "set primary") and not any(
                one.kind.startswith("unlink") and one.username == step.username and one.ended > step.began
                for one in self.steps
            ):
                self._told.add(step.username)

    async def _arrive(self) -> None:
        """Let any write arrive that is late."""
        of, write = self._late.pop(self.chance.randrange(len(self._late)))
        step = self._begun(f"{of.kind}, late write", of.username, of.clock)
        try:
            await write()
        except StaleRevision:
            return self._end(step, "refused")
        if of.kind == "unlink":
            self._told.discard(of.username)
        return self._end(step, "made")

    def _begun(self, kind: str, username: str, clock: float) -> Step:
        self.steps.append(Step(kind, username, clock, next(self._moments)))
        return self.steps[-1]

    def _end(self, step: Step, result: str) -> None:
        step.ended, step.result = next(self._moments), result


class OfAnAddress(History):
    kinds = ("link", "unlink", "set primary", "go back", "look up", "repair", "import")
    often = (8, 1, 1, 2, 3, 1, 2)

    def has(self, _: str, record: records.Record) -> bool:
        return records.holds(record, WANTED)

    async def do(self, step, users, claims) -> None:
        name, primary = step.username, WANTED if step.kind == "set primary" else OWN[step.username]
        identities = AutheliaIdentities(users, Proving(WANTED), UsedTokens(claims.opened), None, trust_unverified=False)
        match step.kind:
            case "link":
                await identities.link(caller(name), f"{name} {self.chance.random():.1f}", f"email|{WANTED}")
            case "unlink":
                await identities.unlink(caller(name), "email", WANTED)
            case "set primary" | "go back":
                user = records.user(name, await users.get(name))
                if not same(user.primary_email, primary) and user.email_identity(primary) is None:
                    raise NotLinked  # as the service says before it asks the provider
                await AutheliaAccounts(users).set_primary(user, primary, keep=None)
            case "look up":
                await users.holder(WANTED)
            case "repair":
                await users.repair(name, await users.get(name))
            case "import":
                await Imports(users).run(UsersFile(FILE))

    async def check(self, owners: list[str]) -> None:
        found = await self.users.holder(WANTED)
        assert owners == ([] if found is None else [found[0]])
        if found is None:
            await self.users.claim("grace", WANTED)


class OfASocialIdentity(History):
    kinds = ("link", "unlink")
    often = (5, 1)

    def has(self, name: str, record: records.Record) -> bool:
        return records.user(name, record).identity("github", "77") is not None

    async def do(self, step, users, claims) -> None:
        social = SocialClaims(users, claims.opened, lambda: self.now + step.clock)
        identities = AutheliaIdentities(users, None, None, social, trust_unverified=True)
        if step.kind == "link":
            await identities.link(caller(step.username), unsigned({"sub": "github|77"}), "github|77")
        else:
            await identities.unlink(caller(step.username), "github", "77")

    async def check(self, owners: list[str]) -> None:
        if not owners:
            await self.do(Step("link", "grace", 0.0, 0), self.users, self.claims)


FOUND = [
    (OfAnAddress, "many", (72, 746, 1577, 2215)),
    (OfAnAddress, "clocks apart", (2738,)),
    (OfASocialIdentity, "many", (21, 1700)),
    (OfASocialIdentity, "all", (13, 304, 1436)),
    (OfASocialIdentity, "clocks apart", (241, 273, 326, 389)),
]
"""Histories with two owners, or a link that was taken back, before keys said whose write may be under way."""


@pytest.mark.parametrize(("kind", "trouble", "seeds"), FOUND)
async def test_there_is_one_owner_where_there_once_was_not(kind, trouble, seeds):
    await _one_owner(kind, trouble, seeds)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("kind", "share"), [(OfAnAddress, 1), (OfASocialIdentity, 5)])
async def test_there_is_one_owner(kind, share, trouble):
    await _one_owner(kind, trouble, SEEDS[trouble][::share])


async def _one_owner(kind, trouble, seeds) -> None:
    for seed in seeds:
        history = kind(seed, TROUBLES[trouble])
        try:
            await history.run()
        except Exception as error:
            error.add_note("\n".join([f"seed {seed}; the last steps:", *map(str, history.steps[-15:])]))
            raise
