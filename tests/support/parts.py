# SPDX-License-Identifier: MIT
"""The parts of the Authelia provider, on storage that can kill its own process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from app.domain.tokens import Caller
from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from providers.authelia.codes.signing import Keys, SigningKey, keys_of, parse_key
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage.kv import BucketOptions
from providers.authelia.storage.nats_bucket import Buckets
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import Users
from tests.support.basics import unsigned
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.client import Client

    from providers.authelia.storage.kv import Bucket, Entry

NEW = Address("new@example.org")
SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"


class Life:
    """How many writes the process still survives; None: any number."""

    def __init__(self, writes: int | None = None) -> None:
        self.left = writes

    def spend(self) -> None:
        if self.left is None:
            return
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


class MortalBucket:
    """A bucket before each of whose writes the process may be killed."""

    def __init__(self, bucket: Bucket, life: Life) -> None:
        self._bucket, self._life = bucket, life

    async def get(self, key: str) -> Entry:
        return await self._bucket.get(key)

    async def keys(self) -> list[str]:
        return await self._bucket.keys()

    async def has_room(self) -> bool:
        return await self._bucket.has_room()

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        self._life.spend()
        return await self._bucket.put(key, value, revision, before)

    async def add(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        self._life.spend()
        return await self._bucket.add(key, value, revision, before)

    async def delete(self, key: str, revision: int, before: str = "") -> None:
        self._life.spend()
        await self._bucket.delete(key, revision, before)


@dataclass
class Parts:
    """What operations are made of."""

    users: Users
    identities: AutheliaIdentities
    accounts: AutheliaAccounts
    keys: Keys

    def proof(self, address: str = NEW) -> str:
        return self.keys.tokens.issue(Address(address))


def caller(username: str) -> Caller:
    return Caller(f"auth0|{username}", SecretStr("x"), username)


async def parts(client: Client, key: str, life: Life | None = None, later: float = 0.0) -> Parts:
    """Return the parts, on a clock that is `later` by so many seconds as to the age of claims."""
    buckets = Buckets(client, 5, UpstreamTelemetry(CollectorRegistry()))

    def opener(name: str, history: int = 1) -> Callable[[], Awaitable[Bucket]]:
        async def opened() -> Bucket:
            return MortalBucket(await buckets.ensure(BucketOptions(name, history=history)), life or Life())

        return opened

    def aged() -> float:
        return time.time() + later

    users, claims = Users(opener("authelia-users", 5), time.time, aged), opener("authelia-claims")
    signing = SigningKey(SecretStr(key), opener("authelia-signing-key"), time.time)
    social = SocialClaims(users, claims, aged)
    identities = AutheliaIdentities(users, signing, UsedTokens(claims), social, trust_unverified=True)
    return Parts(users, identities, AutheliaAccounts(users), keys_of(parse_key(key), time.time))


async def link(one: Parts, username: str = "grace.hopper", address: str = NEW) -> None:
    await one.identities.link(caller(username), one.proof(address), f"email|{address}")


async def link_social(one: Parts, username: str = "grace.hopper") -> None:
    await one.identities.link(caller(username), unsigned({"sub": "github|77"}), "github|77")


async def unlink(one: Parts) -> None:
    await one.identities.unlink(caller("ada"), "email", "ada@lovelace.example")


async def set_primary(one: Parts) -> None:
    user = await _user(one, "ada")
    await one.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))


async def create(one: Parts) -> None:
    await one.users.create("newcomer", NEW, "Newcomer")


async def take_over(one: Parts) -> None:
    """Verify an address that stands unverified in Ada's record, with a lookup key of old."""
    await link(one, "grace.hopper", "ada@unverified.example")


async def store_subject(one: Parts) -> None:
    await one.users.subjects.store("grace.hopper", SUB)


OPERATIONS = {
    operation.__name__: operation
    for operation in (link, link_social, unlink, set_primary, create, take_over, store_subject)
}


LATER = {"take_over": 61.0, "store_subject": 61.0}
"""Seconds by which an operation comes later than what stands in storage."""


async def _user(one: Parts, username: str) -> Any:
    from providers.authelia.storage import records  # noqa: PLC0415 - not needed by those who die

    return records.user(username, await one.users.get(username))


async def _done(url: str, key: str, operation: str, writes: int) -> None:
    client = await connect(url)
    await OPERATIONS[operation](await parts(client, key, Life(writes), LATER.get(operation, 0.0)))
    await client.close()


def do(url: str, key: str, operation: str, writes: int) -> None:
    """Do the operation, unless it needs more writes than this process survives."""
    asyncio.run(_done(url, key, operation, writes))
