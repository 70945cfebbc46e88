# SPDX-License-Identifier: MIT
"""Reads and changes users' metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.errors import (
    Fault,
    InputRequired,
    MetadataRequired,
    TokenOfClient,
    TokenRequired,
    UpdateFailed,
    UserNotFound,
    require,
)
from app.domain.halves import is_unicode
from app.domain.tokens import UPDATE_METADATA, bare
from app.domain.users import METADATA_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from app.domain.ports import Callers, ClientCallers, Directory, Profiles
    from app.domain.tokens import Caller

MAX_BIO: Final = 2_000
MAX_SKILLS: Final = 2_000
MAX_SKILLS_SENT: Final = 4_000
MAX_SKILL_COUNT: Final = 50
MAX_FIELD: Final = 48 * 1024
"""Maximum bytes of a field in JSON (UTF-8). All seventeen fit into a reply, an event and a record of 1 MiB."""
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class ProfileUpdated:
    """A changed profile: whose it is, who changed it, the whole new metadata, and the time of the write."""

    user_id: str
    principal: str
    user_metadata: Mapping[str, str]
    timestamp: datetime


class ProfileEvents(Protocol):
    """Publishes changes of profiles."""

    async def profile_updated(self, event: ProfileUpdated) -> None:
        """Publish the event. Never raises: a failure is logged, and the change remains."""
        ...


def tidy_skills(text: str) -> str:
    """Normalise a comma-separated list.

    Of the first 4,000 characters: items trimmed, empty ones and repetitions (Unicode case folding; the first
    spelling stays) dropped, at most 50 kept, and of these whole items up to 2,000 characters in all; a first
    item longer than that is cut.
    """
    kept: dict[str, str] = {}
    for item in (part.strip() for part in text[:MAX_SKILLS_SENT].split(",")):
        if item and len(kept) < MAX_SKILL_COUNT:
            kept.setdefault(item.casefold(), item)
    joined = ""
    for item in kept.values():
        longer = f"{joined}{_SEPARATOR}{item}" if joined else item[:MAX_SKILLS].rstrip()
        if len(longer) > MAX_SKILLS:
            break
        joined = longer
    return joined


def tidy(change: Mapping[str, str | None]) -> dict[str, str]:
    """Return the fields of `change` to store: known fields that are present, trimmed and within their bounds."""
    tidied = {key: value.strip() for key, value in change.items() if key in METADATA_FIELDS and value is not None}
    if "bio" in tidied:
        tidied["bio"] = tidied["bio"][:MAX_BIO]
    if "skills" in tidied:
        tidied["skills"] = tidy_skills(tidied["skills"])
    return tidied


def known(stored: Mapping[str, object]) -> dict[str, str]:
    """Return the stored metadata that a reply may contain: known fields whose value is a string."""
    return {key: value for key, value in stored.items() if key in METADATA_FIELDS and isinstance(value, str)}


def is_too_long(value: str) -> bool:
    """Return whether a field takes more room than allowed in messages and in storage."""
    written = json.dumps(value[: MAX_FIELD + 1], ensure_ascii=False)
    return len(written.encode("utf-8", "surrogatepass")) > MAX_FIELD


class Metadata:
    """What users tell about themselves."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is a part of its own
        self,
        callers: Callers,
        directory: Directory,
        profiles: Profiles,
        events: ProfileEvents,
        now: Callable[[], datetime],
        clients: ClientCallers | None = None,
    ) -> None:
        """Take the provider's capabilities, the publisher of events, and the clock (UTC).

        With `clients`, a client's token can act for the user that the request names. Without it, it is invalid.
        """
        self._callers = callers
        self._directory = directory
        self._profiles = profiles
        self._events = events
        self._now = now
        self._clients = clients

    async def read(self, reference: str) -> dict[str, str]:
        """Return the metadata of the user meant by a token, a subject identifier or a username.

        Raises InputRequired, UserNotFound, and what verifying a token raises.
        """
        reference = require(bare(reference), InputRequired)
        if not is_unicode(reference):
            raise UserNotFound
        return known((await self._directory.resolve(reference)).user_metadata)

    async def update(self, token: str, change: Mapping[str, str | None] | None, username: str = "") -> dict[str, str]:
        """Set the fields of `change` on the caller's profile, return the whole metadata after it.

        `username` matters only if clients can act for a user.

        Raises TokenRequired, MetadataRequired, UserNotFound, UpdateFailed for a field that is too long, and what
        verifying a token raises.
        """
        token = require(bare(token), TokenRequired)
        if change is None:
            raise MetadataRequired
        caller = await self._caller(token, username.strip())
        tidied = tidy(change)
        if not tidied:
            return known((await self._directory.of_caller(caller)).user_metadata)
        if any(map(is_too_long, tidied.values())):
            raise UpdateFailed().blamed_on(Fault.CALLER)
        user = await self._profiles.update_metadata(caller, tidied)
        whole = known(user.user_metadata)
        await self._events.profile_updated(ProfileUpdated(user.user_id, caller.subject, whole, self._now()))
        return whole

    async def _caller(self, token: str, username: str) -> Caller:
        try:
            return await self._callers.verify(token, scope=UPDATE_METADATA)
        except TokenOfClient:
            if self._clients is None or not username:
                raise
        return await self._clients.acting_for(token, username)
