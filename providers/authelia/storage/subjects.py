# SPDX-License-Identifier: MIT
"""Finds the owner of a subject identifier, which is stored or derived from the username.

Authelia gives the identifiers out, so its word counts: one that another record holds moves to whom Authelia says it
belongs. A lookup key is of the lower-cased identifier, and written before the record; one that its record does not
bear out is removed once it is a minute old.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from app.domain import subject_ids
from app.domain.codes import StaleRevision
from app.domain.redaction import redact_subject
from providers.authelia.storage import records
from providers.authelia.storage.kv import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.authelia.storage.lookup_keys import LookupKeys
    from providers.authelia.storage.records import Record


class Records(Protocol):
    """The users' records, as `storage.users` keeps them."""

    async def get(self, username: str) -> Record:
        """Return the record of that user. Raises UserNotFound."""
        ...

    async def find(self, username: str) -> Record | None:
        """Return the record of that user, None when there is none."""
        ...

    async def change(self, username: str, change: Callable[[Record], Record]) -> Record:
        """Replace the record by what `change` makes of it; return the result. Raises UserNotFound."""
        ...


class Subjects:
    """The subject identifiers of the users. Every method may raise ProviderUnavailable."""

    def __init__(self, users: Records, keys: LookupKeys) -> None:
        """Take the records and the lookup keys."""
        self._users = users
        self._keys = keys

    async def owner(self, subject: str) -> tuple[str, Record] | None:
        """Return whose subject identifier it is, in any case; a lookup key that lies is removed."""
        key = records.subject_key(subject)
        pointed, entry = await self._keys.read(key)
        provider, bar, name = subject.partition("|")
        derived = name if bar and provider.lower() == "auth0" and records.is_username(name) else None
        found = None
        for username in dict.fromkeys(filter(None, (pointed, derived))):
            record = await self._users.find(username)
            theirs = "" if record is None else records.subject_of(username, record)
            if record is not None and theirs == subject:
                return username, record
            if record is not None and records.subject_key(theirs) == key:
                # Usernames differ by case alone, and so do identifiers that are derived from them: the very one first.
                found = found or (username, record)
            elif username == pointed and not self._keys.is_fresh(entry):
                await self._keys.drop(key, entry)
        return found

    async def store(self, username: str, subject: str) -> Record:
        """Store the identifier that Authelia gives the user, return the record. Raises UserNotFound."""
        before = await self._users.get(username)
        if records.text(before, "sub") == subject:
            return before
        await self._take(username, subject)
        after = await self._users.change(username, lambda record: {**record, "sub": subject})
        pointed, _ = await self._keys.read(records.subject_key(subject))
        if pointed not in (None, username):
            # Authelia gave it to somebody else in between.
            await self._lose(username, subject)
            return await self._users.get(username)
        await self._forget(username, records.subject_of(username, before), subject)
        return after

    async def point(self, username: str, record: Record) -> None:
        """Give the user's identifier the lookup key that it lacks; a stored one that is another user's goes."""
        key = records.subject_key(records.subject_of(username, record))
        while True:
            pointed, entry = await self._keys.read(key)
            if pointed == username:
                return
            now = await self._users.find(username)
            if now is not None and records.subject_key(records.subject_of(username, now)) != key:
                return  # it went to somebody else since the record was read
            try:
                theirs = "" if pointed is None else await self._held(pointed, key)
            except Unreadable:
                return
            if theirs:
                await self._lose(username, theirs)
                return
            with suppress(StaleRevision):
                await self._keys.point(key, username, entry.revision)
                return

    async def _take(self, username: str, subject: str) -> None:
        """Let the lookup key name the user, and whoever held the identifier hold it no more."""
        key = records.subject_key(subject)
        while True:
            pointed, entry = await self._keys.read(key)
            loser = pointed if pointed != username else None
            if loser is not None:
                # First, since nothing leads to that record once the key names somebody else.
                await self._lose(loser, subject)
            try:
                await self._keys.point(key, username, entry.revision)
            except StaleRevision:
                continue
            if loser is not None:
                # Again: it may have come to hold it before the key changed.
                await self._lose(loser, subject)
            return

    async def _lose(self, username: str, subject: str) -> None:
        """Take the identifier from the record, in whatever case it stands there; what is derived stays."""
        derived = subject_ids.derive(username)

        def holds(record: Record) -> bool:
            stored = records.text(record, "sub").strip()
            same = records.subject_key(stored) == records.subject_key(subject)
            return bool(stored) and same and (stored == subject or stored != derived)

        try:
            record = await self._users.find(username)
        except Unreadable:
            return  # the lookup key decides between the two once it can be read
        if record is None or not holds(record):
            return
        await self._users.change(username, lambda record: {**record, "sub": ""} if holds(record) else record)
        logger.warning(
            "a subject identifier was taken from a record: it is another user's", sub=redact_subject(subject)
        )

    async def _held(self, username: str, key: str) -> str:
        """Return the user's identifier when that is its lookup key, otherwise the empty string."""
        record = await self._users.find(username)
        subject = "" if record is None else records.subject_of(username, record)
        return subject if records.subject_key(subject) == key else ""

    async def _forget(self, username: str, old: str, new: str) -> None:
        """Remove the lookup key of the identifier before, unless somebody has just given it anew."""
        key = records.subject_key(old)
        pointed, entry = await self._keys.read(key)
        if pointed == username and key != records.subject_key(new) and not self._keys.is_fresh(entry):
            await self._keys.drop(key, entry)
