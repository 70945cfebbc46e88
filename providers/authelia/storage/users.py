# SPDX-License-Identifier: MIT
"""The users in their bucket, and the lookup keys by which they are found.

A lookup key never lies: whoever reads one reads the record as well, and believes the record. The order of writes is
always lookup key, record when an address is gained, and record, lookup key when one is lost, so that a crash leaves
a lookup key too many and never one too few. One too many is a claim without an owner: it is left alone for a
minute, in which the owner may still be at work, and then goes to whoever wants the address.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from app.domain.codes import StaleRevision
from app.domain.errors import ProviderUnavailable, UserNotFound
from app.domain.locks import KeyedLocks
from app.domain.reads import UNHEARD
from providers.authelia.storage import records
from providers.authelia.storage.kv import StorageFull, Unreadable
from providers.authelia.storage.lookup_keys import LookupKeys
from providers.authelia.storage.subjects import Subjects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.reads import Changes
    from app.domain.users import Address
    from providers.authelia.storage.kv import Entry, Open
    from providers.authelia.storage.records import Record


class AddressHeld(Exception):
    """The address or social identity is somebody else's, or somebody else is about to get it."""


class Users:
    """The users' records and lookup keys. Every method may raise ProviderUnavailable.

    A record that cannot be read is left alone (Unreadable): it may hold what a lookup key says of it.
    """

    def __init__(
        self,
        bucket: Open,
        now: Callable[[], float],
        lease_now: Callable[[], float] = time.time,
        changes: Changes = UNHEARD,
    ) -> None:
        """Take the bucket, the clock for what is stored, and the one that ages claims (both Unix seconds).

        `changes` is told of every record that changes, and of every address that changes hands.
        """
        self._changes = changes
        self._bucket = bucket
        self._now = now
        self._turns = KeyedLocks()
        self._keys = LookupKeys(bucket, lease_now)
        self.subjects = Subjects(self, self._keys)

    async def usernames(self) -> list[str]:
        """Return the keys under which users may stand."""
        return sorted(key for key in await (await self._bucket()).keys() if records.is_username(key))

    async def get(self, username: str) -> Record:
        """Return the record of that user. Raises UserNotFound."""
        record, _ = await self._read(username)
        if record is None:
            raise UserNotFound
        return record

    async def find(self, username: str) -> Record | None:
        """Return the record of that user, None when there is none. Raises Unreadable."""
        return (await self._read(username))[0]

    async def change(
        self, username: str, change: Callable[[Record], Record], check: Callable[[], Awaitable[None]] | None = None
    ) -> Record:
        """Replace the record by what `change` makes of it, from a fresh read on every conflict; return the result.

        What `change` returns unchanged is not written. `check` is awaited between the read and the write. Raises
        UserNotFound, and what `change` and `check` raise.
        """
        # In turn within this process: at once, all but one would come too late, again and again, and n changes cost n².
        async with self._turns.of(username):
            while True:
                record, entry = await self._read(username)
                if record is None:
                    raise UserNotFound
                changed = change(record)
                if changed == record:
                    return record
                if check is not None:
                    await check()
                with suppress(StaleRevision):
                    await self._replace(username, entry, record, changed)
                    return changed

    async def gain(self, username: str, address: Address, change: Callable[[Record], Record]) -> Record:
        """Change the record so that it has an address that the user has claimed; see `change`.

        Raises AddressHeld when the claim does not stand by now.
        """

        async def check() -> None:
            if not await self.confirm(username, address):
                raise AddressHeld

        return await self.change(username, change, check)

    async def create(self, username: str, email: Address, displayname: str) -> bool:
        """Store a new user whose address nobody else has; False when the user was there already.

        Raises AddressHeld, StorageFull, Unreadable.
        """
        if not records.is_username(username):
            return False
        record, entry = await self._read(username)
        if record is not None:
            return False
        made = records.new(username, email, displayname, self._now())
        revision = await self.claim(username, email) if email else None
        try:
            await self.subjects.point(username, made)
            await (await self._bucket()).put(username, records.encode(made, self._now()), entry.revision)
            self._note(username, made)
        except (StaleRevision, StorageFull) as refused:
            if email:
                await self.release(username, email, revision)
            if isinstance(refused, StorageFull):
                raise
            return False
        return True

    async def holder(self, address: Address) -> tuple[str, Record] | None:
        """Return who has the address as primary or verified alternate; a lookup key that lies is removed."""
        for key in (records.email_key(address), *records.other_email_keys(address)):
            username, entry = await self._keys.read(key)
            record = None if username is None else await self.find(username)
            if username is not None and record is not None and records.holds(record, address):
                return username, record
            if username is None or (record is not None and records.mentions(record, address)):
                continue
            if not self._keys.is_fresh(entry) and not await self._dropped(key, entry, username, address):
                return await self.holder(address)
        return None

    async def _dropped(self, key: str, entry: Entry, username: str, address: Address) -> bool:
        """Remove a lookup key that lies; False if the user has the address by now.

        One that cannot be removed stays for the next who reads it: nobody believes it.
        """
        with suppress(ProviderUnavailable):
            if not await self._shut_out(username, *_of(address)):
                return False
            await self._keys.drop(key, entry)
        return True

    async def claim(self, username: str, address: Address) -> int:
        """Point the lookup key of the address at the user, before the record has it; return its revision.

        Raises AddressHeld.
        """
        await self._refuse_older(username, address)
        try:
            revision = await self.take(self._keys, records.email_key(address), username, *_of(address))
        finally:
            self._changes.note(addresses=[address])
        await self._settle_older(username, address)
        return revision

    async def take(
        self,
        keys: LookupKeys,
        key: str,
        username: str,
        has_it: Callable[[Record], bool],
        without: Callable[[Record], Record] = lambda record: record,
    ) -> int:
        """Let a key name the user, with no write of anybody else under way; return its revision.

        Whom it is taken from is written into it first, since nobody can write once it names somebody else: then a
        write of that user has been made, or is shut out. Raises AddressHeld when somebody else has what it stands for
        (`has_it`), or has claimed it just now.
        """
        while True:
            pointed, entry = await keys.read(key)
            if pointed not in (None, username) and (keys.is_fresh(entry) or await self._has(str(pointed), has_it)):
                raise AddressHeld
            loser = entry.before or pointed or username
            with suppress(StaleRevision):
                if loser == username:
                    return await keys.point(key, username, entry.revision)
                if not entry.before:
                    await keys.point(key, username, entry.revision, loser)
                elif await self._shut_out(loser, has_it, without):
                    return await keys.point(key, username, entry.revision)
                else:
                    await keys.point(key, loser, entry.revision)
                    raise AddressHeld

    async def confirm(self, username: str, address: Address) -> bool:
        """Whether the claim stands: a write of a record that was read before this gives the user the address."""
        return await self._keys.stands(records.email_key(address), username)

    async def revision_of(self, address: Address) -> int:
        """Return the revision of the address's lookup key, to be asked for before the record loses the address."""
        return (await self._keys.read(records.email_key(address)))[1].revision

    async def release(self, username: str, address: Address, revision: int | None = None) -> None:
        """Remove the lookup key of an address that the record does not have (any more); other people's stay."""
        pointed, entry = await self._keys.read(records.email_key(address))
        record = await self.find(username)
        if record is not None and records.holds(record, address):
            return
        if pointed == username:
            await self._keys.drop(records.email_key(address), entry, revision)
        for key in records.other_email_keys(address):
            pointed, entry = await self._keys.read(key)
            if pointed == username:
                await self._keys.drop(key, entry)

    async def repair(self, username: str, record: Record) -> None:
        """Give the user's addresses and subject identifier the lookup keys that they lack, where there is room.

        `record` may be older than what is stored: an address that it has and the user does not is left alone.
        """
        with suppress(StorageFull):
            for address in dict.fromkeys(records.held(record)):
                pointed, _ = await self._keys.read(records.email_key(address))
                if pointed != username:
                    await self._claim_again(username, address)
            await self.subjects.point(username, record)

    async def _claim_again(self, username: str, address: Address) -> None:
        """Claim an address that the record has; if it is unlinked meanwhile, give it back."""
        record = await self.find(username)
        if record is None or not records.holds(record, address):
            return
        with suppress(AddressHeld):
            await self.release(username, address, await self.claim(username, address))

    async def _read(self, username: str) -> tuple[Record | None, Entry]:
        if not records.is_username(username):
            raise UserNotFound
        entry = await (await self._bucket()).get(username)
        record = records.parse(entry.value)
        if record is None and entry.value is not None:
            raise Unreadable
        return record, entry

    async def _replace(self, username: str, entry: Entry, record: Record, changed: Record) -> None:
        try:
            await (await self._bucket()).put(username, records.encode(changed, self._now()), entry.revision)
        finally:
            self._note(username, record, changed)

    async def _shut_out(
        self, loser: str, has_it: Callable[[Record], bool], without: Callable[[Record], Record]
    ) -> bool:
        """Let no write of whoever lost a claim be made later, such as one without an answer; False if one was made.

        The record is written again, as `without` makes it.
        """
        async with self._turns.of(loser):
            while True:
                record, entry = await self._read(loser)
                if record is not None and has_it(record):
                    return False
                with suppress(StaleRevision):
                    if record is None:
                        await (await self._bucket()).delete(loser, entry.revision)
                    else:
                        await self._replace(loser, entry, record, without(record))
                    return True

    def _note(self, username: str, *versions: Record) -> None:
        """Tell that the record changes from one version to the other."""
        subjects = [records.subject_of(username, version) for version in versions]
        self._changes.note(*subjects, addresses=[held for version in versions for held in records.held(version)])

    async def _has(self, username: str, has_it: Callable[[Record], bool]) -> bool:
        try:
            record = await self.find(username)
        except Unreadable:
            return True  # as far as anybody can tell
        return record is not None and has_it(record)

    async def _refuse_older(self, username: str, address: Address) -> None:
        """Raise AddressHeld when somebody has the address by the key of a spelling alone, as in older data."""
        for key in records.other_email_keys(address):
            pointed, _ = await self._keys.read(key)
            if pointed not in (None, username) and await self._has(str(pointed), _of(address)[0]):
                raise AddressHeld

    async def _settle_older(self, username: str, address: Address) -> None:
        """Let the key of the spelling at hand name the user too, for those who look there, and none anybody else."""
        for key in records.other_email_keys(address):
            pointed, entry = await self._keys.read(key)
            if pointed not in (None, username):
                await self._remove_unverified(str(pointed), address)
            if key == records.as_spelled(address) and pointed != username:
                with suppress(StaleRevision):  # somebody who lost the claim; whoever reads it believes the record
                    await self._keys.point(key, username, entry.revision)
            elif pointed not in (None, username):
                await self._keys.drop(key, entry)

    async def _remove_unverified(self, username: str, address: Address) -> None:
        if await self.find(username) is not None:
            await self.change(username, lambda record: records.without_alternate(record, address, unverified_only=True))


def _of(address: Address) -> tuple[Callable[[Record], bool], Callable[[Record], Record]]:
    """Return whether a record has the address, and what it is without the unverified entries of it."""
    return (
        lambda record: records.holds(record, address),
        lambda record: records.without_alternate(record, address, unverified_only=True),
    )
