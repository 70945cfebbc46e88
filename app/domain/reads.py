# SPDX-License-Identifier: MIT
"""The interfaces for remembered answers: which user is meant, who hears of changes, who counts answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.ports import Directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.domain.users import User


class Source(StrEnum):
    """Where the answer to a read came from."""

    PROVIDER = "provider"
    FRESH = "fresh"
    """From memory, in place of a call."""

    STALE = "stale"
    """From memory, in place of an error."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The requested user: the one with that username or, if it is empty, with that subject identifier.

    If both are given, as in some tokens, `subject` must be the identifier of the user with that username.
    """

    subject: str = ""
    username: str = ""


class NamingDirectory(Directory, Protocol):
    """A directory with two steps for a read: which user is meant, and finding this user."""

    def named(self, reference: str) -> Meant | None:
        """Return whom a subject identifier or a username means; None when `reference` is a token. Waits for nothing.

        Raises UserNotFound if no user can have it.
        """
        ...

    async def of_token(self, token: str) -> Meant:
        """Verify `token`, return its user. Raises UserNotFound, and what `Callers.verify` raises."""
        ...

    async def find(self, meant: Meant) -> User:
        """Find this user. Raises UserNotFound."""
        ...


class Changes(Protocol):
    """A provider reports every change here, as soon as it has made it or may have made it."""

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Report changed users: their subject identifiers before and after, and the affected addresses."""
        ...


class _Unheard:
    """Takes no note."""

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Take no note."""


UNHEARD: Final[Changes] = _Unheard()
"""Used if nothing is remembered."""


class Broadcast(Protocol):
    """Carries short messages to every replica, including this one, with the guarantees of NATS."""

    @property
    def stands(self) -> bool:
        """Whether messages of other replicas arrive here."""
        ...

    @property
    def unheard(self) -> bool:
        """Whether messages have arrived and `heard` was not yet called with them."""
        ...

    def listen(self, heard: Callable[[bytes], None], lost: Callable[[], None], back: Callable[[], None]) -> None:
        """Call `heard` with every message, `lost` when messages no longer arrive, `back` when they arrive again."""
        ...

    async def tell(self, message: bytes) -> bool:
        """Send a message. Return whether the server has received it. Raises nothing."""
        ...


class ReadNotes(Protocol):
    """Counts where answers come from."""

    def answered(self, source: Source, age: float = 0.0) -> None:
        """Count the answer to the current read; `age` of a stale one in seconds."""
        ...

    def forget_received(self) -> None:
        """Count a message about answers to forget."""
        ...

    def watch(self, entries: Callable[[], int], size: Callable[[], int]) -> None:
        """Show the number and the bytes of remembered answers."""
        ...


class Turn(Protocol):
    """Gives the request at work its turn, before which it may not wait for anything."""

    async def __call__(self, within: float = ...) -> bool:
        """Wait for it, at most `within` seconds. Return whether the request has it; without it, do nothing slow."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """What the service provides for remembered answers.

    Messages to replicas, counters, waiting for a request's turn, and the timeout of a request (seconds).
    """

    broadcast: Broadcast
    notes: ReadNotes
    turn: Turn
    request_timeout: float
