# SPDX-License-Identifier: MIT
"""The three look-ups: e-mail to username, e-mail to subject, username to subject."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from app.domain import subject_ids
from app.domain.addresses import parse_address
from app.domain.errors import EmailAlreadyLinked, EmailRequired, UsernameRequired, UserNotFound, require
from app.domain.halves import is_unicode

if TYPE_CHECKING:
    from app.domain.ports import Directory, StoredSubjects
    from app.domain.users import Address, User


MAX_REFERENCE: Final = 512
"""Bytes of a subject identifier or username beyond which nobody is meant."""


def is_reference(text: str) -> bool:
    """Whether `text` can be a subject identifier or a username: well-formed, and not too long."""
    return len(text) <= MAX_REFERENCE and is_unicode(text) and len(text.encode()) <= MAX_REFERENCE


class ByEmail(ABC):
    """How a directory finds users by an address."""

    @abstractmethod
    async def by_primary_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user whose primary e-mail `address` is. Raises UserNotFound."""

    @abstractmethod
    async def by_alternate_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user who has `address` as a verified e-mail identity. Raises UserNotFound."""

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user with the primary e-mail `address`; if there is none, the user with it as a verified alternate.

        `fresh`: see `ports.Directory`.

        Raises:
            UserNotFound: no user has it.
        """
        try:
            return await self.by_primary_email(address, fresh=fresh)
        except UserNotFound:
            return await self.by_alternate_email(address, fresh=fresh)


async def refuse_taken(directory: Directory, address: Address) -> None:
    """Raise EmailAlreadyLinked if a user has `address`. A failed search does not prove that it is free."""
    try:
        await directory.by_email(address, fresh=True)
    except UserNotFound:
        return
    raise EmailAlreadyLinked


class Lookups:
    """Finds users by e-mail address or username."""

    def __init__(self, directory: Directory, subjects: StoredSubjects | None) -> None:
        """Take the directory of users and, if the provider stores them, their subject identifiers."""
        self._directory = directory
        self._subjects = subjects

    async def username_of_email(self, email: str) -> str:
        """Return the username of the user who has the address. Raises EmailRequired, UserNotFound."""
        return require((await self._user_of_email(email)).username, UserNotFound)

    async def subject_of_email(self, email: str) -> str:
        """Return the subject identifier of the user who has the address. Raises EmailRequired, UserNotFound."""
        return (await self._user_of_email(email)).user_id

    async def subject_of_username(self, username: str) -> str:
        """Return the subject identifier of that user, stored or derived.

        Raises UsernameRequired, and ProviderUnavailable where it is looked up.
        """
        require(username, UsernameRequired)
        if not username.isascii() and not is_unicode(username):
            raise UsernameRequired
        stored = None if self._subjects is None else await self._subjects.of_username(username)
        return stored or subject_ids.derive(username)

    async def _user_of_email(self, email: str) -> User:
        return await self._directory.by_email(parse_address(require(email, EmailRequired), UserNotFound))
