# SPDX-License-Identifier: MIT
"""Links whose steps come late, or never: an address has one owner, an identity too, and what was confirmed stays."""

from __future__ import annotations

import pytest

from app.domain.codes import StaleRevision
from app.domain.errors import IdentityLinkedElsewhere, InvalidIdentityToken, ProviderUnavailable
from app.domain.users import Address
from providers.authelia.cluster.imports import Imports
from providers.authelia.cluster.users_file import UsersFile
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.storage import records
from providers.authelia.storage.kv import StorageFull
from providers.authelia.storage.lookup_keys import LookupKeys
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import AddressHeld, Users
from tests.support.basics import unsigned
from tests.support.buckets import InterruptedBucket, MemoryBucket
from tests.support.parts import caller
from tests.support.unreliable import Killed, Proving

WANTED = Address("wanted@example.org")
SUBJECT = f"email|{WANTED}"
ADA, GRACE = caller("ada"), caller("grace")


class Late(InterruptedBucket):
    """A bucket in which a write of one key gets no answer, and reaches the server later."""

    late = ""
    sent: tuple[str, bytes, int] | None = None

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        if key == self.late and self.sent is None:
            self.sent = (key, value, revision)
            raise ProviderUnavailable
        return await super().put(key, value, revision, before)


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
            AutheliaIdentities(users, Proving(WANTED), UsedTokens(self.notes.opened), None, trust_unverified=False)
            for users in self.users
        ]

    async def made(self) -> Replicas:
        for name in ("ada", "grace"):
            await self.users[0].create(name, Address(f"{name}@example.org"), name)
        self.now += 120
        return self

    async def left_without_an_answer(self) -> None:
        """Ada's link gets no answer to the write of the record; a minute goes by."""
        self.bucket.late = "ada"
        with pytest.raises(ProviderUnavailable):
            await self.identities[0].link(ADA, "one", SUBJECT)
        self.now += 61

    async def arrives(self) -> None:
        """The write without an answer reaches the server, and is refused."""
        with pytest.raises(StaleRevision):
            await MemoryBucket.put(self.bucket, *self.bucket.sent)

    async def owners(self) -> list[str]:
        found = [name for name in ("ada", "grace") if records.holds(await self.users[0].get(name), WANTED)]
        holder = await self.users[1].holder(WANTED)
        assert found == ([] if holder is None else [holder[0]])
        return found


async def test_a_write_without_an_answer_is_not_made_once_somebody_else_has_the_address():
    two = await Replicas().made()
    await two.left_without_an_answer()
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_a_look_up_before_the_link_lets_no_late_write_through():
    two = await Replicas().made()
    await two.left_without_an_answer()
    assert await two.users[1].holder(WANTED) is None
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_a_look_up_in_a_full_bucket_leaves_the_key_that_lies(monkeypatch):
    two = await Replicas().made()
    await two.left_without_an_answer()

    async def full(*_: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(two.bucket, "put", full)
        assert await two.users[1].holder(WANTED) is None
    assert (await two.bucket.get(records.email_key(WANTED))).value == b"ada"


async def test_a_claim_that_is_cut_off_shuts_the_loser_out_when_it_is_repeated(monkeypatch):
    two = await Replicas().made()
    await two.left_without_an_answer()
    await _cut_off(two, monkeypatch)
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_a_claim_that_is_cut_off_takes_nothing_from_who_got_the_address_meanwhile(monkeypatch):
    two = await Replicas(skew=61.0).made()
    await two.users[0].claim("ada", WANTED)

    async def rest() -> None:
        await two.users[0].gain("ada", WANTED, lambda record: records.with_verified(record, WANTED))
        assert await two.users[0].confirm("ada", WANTED)

    two.bucket.at, two.bucket.first = records.email_key(WANTED), rest
    await _cut_off(two, monkeypatch)
    with pytest.raises(IdentityLinkedElsewhere):
        await two.identities[1].link(GRACE, "two", SUBJECT)
    assert await two.owners() == ["ada"]


async def test_a_claim_that_is_cut_off_shuts_out_a_write_that_was_sent_meanwhile(monkeypatch):
    two = await Replicas(skew=61.0).made()
    await two.users[0].claim("ada", WANTED)

    async def rest() -> None:
        two.bucket.late = "ada"
        with pytest.raises(ProviderUnavailable):
            await two.users[0].gain("ada", WANTED, lambda record: records.with_verified(record, WANTED))

    two.bucket.at, two.bucket.first = records.email_key(WANTED), rest
    await _cut_off(two, monkeypatch)
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_a_claim_that_is_given_back_leaves_no_earlier_write_under_way(monkeypatch):
    two = await Replicas().made()
    two.bucket.late = "ada"
    with pytest.raises(ProviderUnavailable):
        await two.identities[0].link(ADA, "one", SUBJECT)

    async def full(*_: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(two.users[0], "gain", full)
        with pytest.raises(StorageFull):
            await two.identities[0].link(ADA, "one", SUBJECT)
    assert (await two.bucket.get(records.email_key(WANTED))).value is None
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_a_look_up_after_a_claim_that_was_cut_off_lets_no_late_write_through(monkeypatch):
    two = await Replicas().made()
    await two.left_without_an_answer()
    await _cut_off(two, monkeypatch)
    two.now += 61
    assert await two.users[1].holder(WANTED) is None
    assert (await two.bucket.get(records.email_key(WANTED))).value is None
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
    assert await two.owners() == ["grace"]


async def test_while_a_claim_is_taken_over_an_earlier_request_of_the_same_user_writes_nothing():
    two = await Replicas(skew=61.0).made()
    await two.users[0].claim("ada", WANTED)

    async def meanwhile() -> None:
        with pytest.raises(AddressHeld):
            await two.users[0].gain("grace", WANTED, lambda record: records.with_verified(record, WANTED))

    two.bucket.at, two.bucket.first = "ada", meanwhile
    await two.users[1].claim("grace", WANTED)
    assert two.bucket.at == ""
    assert await two.owners() == []


async def test_what_was_written_late_after_its_claim_was_given_back_is_kept():
    two = await Replicas().made()
    two.bucket.late = "ada"
    with pytest.raises(ProviderUnavailable):
        await two.identities[0].link(ADA, "one", SUBJECT)
    await two.users[0].release("ada", WANTED)
    await MemoryBucket.put(two.bucket, *two.bucket.sent)
    with pytest.raises(IdentityLinkedElsewhere):
        await two.identities[1].link(GRACE, "two", SUBJECT)
    assert await two.owners() == ["ada"]


async def _cut_off(two, monkeypatch) -> None:
    """Grace's link dies right after its claim has the lookup key."""
    point = two.users[1]._keys.point  # noqa: SLF001 - between two writes there is no other way in

    async def die(*given):
        await point(*given)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LookupKeys, "point", lambda _, *given: die(*given))
        with pytest.raises(Killed):
            await two.identities[1].link(GRACE, "two", SUBJECT)


async def test_a_link_that_has_lost_its_claim_writes_nothing():
    two = await Replicas(skew=61.0).made()

    async def meanwhile() -> None:
        await two.identities[1].link(GRACE, "two", SUBJECT)

    two.bucket.at, two.bucket.first = "ada", meanwhile
    with pytest.raises(IdentityLinkedElsewhere):
        await two.identities[0].link(ADA, "one", SUBJECT)
    assert await two.owners() == ["grace"]


async def test_an_import_that_stands_still_for_a_minute_takes_nothing():
    two = await Replicas().made()
    await two.users[0].change("ada", lambda record: {**record, "email": ""})

    async def meanwhile() -> None:
        two.now += 61
        await two.identities[1].link(GRACE, "two", SUBJECT)

    two.bucket.at, two.bucket.first = "ada", meanwhile
    imports = Imports(two.users[0])
    await imports.run(UsersFile(f"users: {{ada: {{email: {WANTED}}}}}"))
    assert imports.skipped == 1
    assert await two.owners() == ["grace"]


async def test_a_social_identity_goes_to_one_account_however_late_a_write_is():
    two = await Replicas().made()
    ada, grace = (
        AutheliaIdentities(users, None, None, social, trust_unverified=True)
        for users in two.users
        for social in [SocialClaims(users, two.notes.opened, lambda: two.now)]
    )
    token = unsigned({"sub": "github|77"})
    two.bucket.late = "ada"
    with pytest.raises(ProviderUnavailable):
        await ada.link(ADA, token, "github|77")
    two.now += 61
    await grace.link(GRACE, token, "github|77")
    await two.arrives()
    with pytest.raises(IdentityLinkedElsewhere):
        await ada.link(ADA, token, "github|77")


async def test_what_is_linked_is_linked_while_notes_cannot_be_read(monkeypatch):
    two = await Replicas().made()
    await two.identities[0].link(ADA, "one", SUBJECT)

    async def away(*_: object) -> None:
        raise ProviderUnavailable

    monkeypatch.setattr(two.notes, "get", away)
    await two.identities[0].link(ADA, "two", SUBJECT)


async def test_a_user_who_is_made_late_does_not_get_an_address_that_somebody_else_has():
    two = await Replicas().made()
    two.bucket.late = "newcomer"
    with pytest.raises(ProviderUnavailable):
        await two.users[0].create("newcomer", WANTED, "Newcomer")
    two.now += 61
    await two.identities[1].link(GRACE, "two", SUBJECT)
    await two.arrives()
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


async def test_a_token_whose_link_was_cut_off_at_its_end_links_once():
    two = await Replicas().made()

    async def die(*_: object) -> None:
        raise Killed

    two.identities[0]._used.finish = die  # noqa: SLF001 - the last step of a link
    with pytest.raises(Killed):
        await two.identities[0].link(ADA, "one", SUBJECT)
    await two.identities[1].link(ADA, "one", SUBJECT)
    await two.identities[1].unlink(ADA, "email", WANTED)
    with pytest.raises(InvalidIdentityToken):
        await two.identities[1].link(ADA, "one", SUBJECT)
    assert await two.owners() == []
