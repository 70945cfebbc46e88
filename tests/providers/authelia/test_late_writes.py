# SPDX-License-Identifier: MIT
"""Links of an address whose steps come late, or never: it has one owner, and what was confirmed stays."""

from __future__ import annotations

import pytest

from app.domain.codes import StaleRevision
from app.domain.errors import IdentityLinkedElsewhere, InvalidIdentityToken, ProviderUnavailable
from app.domain.identity_tokens import EmailProof
from app.domain.users import Address
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.storage import records
from providers.authelia.storage.users import Users
from tests.support.buckets import InterruptedBucket, MemoryBucket
from tests.support.parts import caller

WANTED = Address("wanted@example.org")
SUBJECT = f"email|{WANTED}"
ADA, GRACE = caller("ada"), caller("grace")


class Keys:
    """A key by which every token is one of the wanted address, under its own text as `jti`."""

    class tokens:  # noqa: N801 - as an attribute
        @staticmethod
        def check(token: str) -> EmailProof:
            return EmailProof(WANTED, token)


class Signing:
    async def keys(self):
        return Keys


class Late(InterruptedBucket):
    """A bucket in which a write of one key gets no answer, and reaches the server later."""

    late = ""
    sent: tuple[str, bytes, int] | None = None

    async def put(self, key: str, value: bytes, revision: int) -> int:
        if key == self.late and self.sent is None:
            self.sent = (key, value, revision)
            raise ProviderUnavailable
        return await super().put(key, value, revision)


class Died(BaseException):
    """The process is killed."""


class Replicas:
    """Two replicas on one bucket; the second one's clock may be wrong."""

    def __init__(self, skew: float = 0.0) -> None:
        self.now = 1_000_000.0
        self.bucket = Late(0, lambda: self.now)
        self.notes = MemoryBucket(1, lambda: self.now)
        self.users = [
            Users(self.bucket.opened, lambda: self.now, lambda ahead=ahead: self.now + ahead) for ahead in (0.0, skew)
        ]
        self.identities = [
            AutheliaIdentities(users, Signing(), UsedTokens(self.notes.opened), None, trust_unverified=False)
            for users in self.users
        ]

    async def made(self) -> Replicas:
        for name in ("ada", "grace"):
            await self.users[0].create(name, Address(f"{name}@example.org"), name)
        self.now += 120
        return self

    async def owners(self) -> list[str]:
        found = [name for name in ("ada", "grace") if records.holds(await self.users[0].get(name), WANTED)]
        holder = await self.users[1].holder(WANTED)
        assert found == ([] if holder is None else [holder[0]])
        return found


async def test_a_write_without_an_answer_is_not_made_once_somebody_else_has_the_address():
    two = await Replicas().made()
    two.bucket.late = "ada"
    with pytest.raises(ProviderUnavailable):
        await two.identities[0].link(ADA, "one", SUBJECT)
    two.now += 61
    await two.identities[1].link(GRACE, "two", SUBJECT)
    with pytest.raises(StaleRevision):
        await MemoryBucket.put(two.bucket, *two.bucket.sent)
    assert await two.owners() == ["grace"]


async def test_a_user_who_is_made_late_does_not_get_an_address_that_somebody_else_has():
    two = await Replicas().made()
    two.bucket.late = "newcomer"
    with pytest.raises(ProviderUnavailable):
        await two.users[0].create("newcomer", WANTED, "Newcomer")
    two.now += 61
    await two.identities[1].link(GRACE, "two", SUBJECT)
    with pytest.raises(StaleRevision):
        await MemoryBucket.put(two.bucket, *two.bucket.sent)
    assert await two.users[0].find("newcomer") is None
    assert await two.owners() == ["grace"]


async def test_whose_clock_is_ahead_takes_no_address_that_is_being_linked():
    two = await Replicas(skew=61.0).made()
    await two.users[0].claim("ada", WANTED)

    async def rest() -> None:
        await two.users[0].change("ada", lambda record: records.with_verified(record, WANTED))
        assert await two.users[0].confirm("ada", WANTED)

    two.bucket.at, two.bucket.first = records.email_key(WANTED), rest
    with pytest.raises(IdentityLinkedElsewhere):
        await two.identities[1].link(GRACE, "two", SUBJECT)
    assert await two.owners() == ["ada"]


async def test_a_link_that_is_confirmed_late_takes_back_none_that_came_after_it():
    two = await Replicas().made()
    read = two.users[0]._keys.read  # noqa: SLF001 - the last step of a link: whose key it is

    async def between(key):
        if key == records.email_key(WANTED) and records.holds(await two.users[1].get("ada"), WANTED):
            two.users[0].__dict__["_keys"] = type("Keys", (), {"read": staticmethod(read)})
            await two.identities[1].unlink(ADA, "email", WANTED)
            found = await read(key)
            await two.identities[1].link(ADA, "two", SUBJECT)
            return found
        return await read(key)

    keys = two.users[0]._keys  # noqa: SLF001
    two.users[0].__dict__["_keys"] = type(
        "Keys", (), {"read": staticmethod(between), "point": keys.point, "drop": keys.drop, "is_fresh": keys.is_fresh}
    )
    await two.identities[0].link(ADA, "one", SUBJECT)
    assert await two.owners() == ["ada"]


async def test_a_token_whose_link_was_cut_off_at_its_end_links_once():
    two = await Replicas().made()

    async def die(*_: object) -> None:
        raise Died

    two.identities[0]._used.finish = die  # noqa: SLF001 - the last step of a link
    with pytest.raises(Died):
        await two.identities[0].link(ADA, "one", SUBJECT)
    await two.identities[1].link(ADA, "one", SUBJECT)
    await two.identities[1].unlink(ADA, "email", WANTED)
    with pytest.raises(InvalidIdentityToken):
        await two.identities[1].link(ADA, "one", SUBJECT)
    assert await two.owners() == []
