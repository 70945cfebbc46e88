# SPDX-License-Identifier: MIT
"""What stands between a provider and those who read users: who is meant, who is told of changes, who counts answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.ports import Directory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

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
    """Who is meant: the user with that username or, where there is none, with that subject identifier.

    Where there are both, as in some tokens, `subject` must be the identifier of the user with that username.
    """

    subject: str = ""
    username: str = ""


class NamingDirectory(Directory, Protocol):
    """A directory that takes reading apart: who is meant, and finding that user."""

    def named(self, reference: str) -> Meant | None:
        """Return whom a subject identifier or a username means; None when `reference` is a token. Waits for nothing.

        Raises UserNotFound for what can be nobody's.
        """
        ...

    async def of_token(self, token: str) -> Meant:
        """Verify `token`, return whom it speaks for. Raises UserNotFound, and what `Callers.verify` raises."""
        ...

    async def find(self, meant: Meant) -> User:
        """Find the user who is meant. Raises UserNotFound."""
        ...


class Changes(Protocol):
    """Is told by a provider of every change that it makes, at once when it is made or may have been."""

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Take note that users changed: their subject identifiers, before and after; whose addresses are concerned."""
        ...


class _Unheard:
    """Takes no note."""

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Take no note."""


UNHEARD: Final[Changes] = _Unheard()
"""What providers tell where nobody remembers anything."""


class Broadcast(Protocol):
    """Carries short messages to every replica, this one included, as far as NATS does."""

    @property
    def stands(self) -> bool:
        """Whether messages of others arrive here."""
        ...

    @property
    def unheard(self) -> bool:
        """Whether messages have arrived that `heard` was not called with yet."""
        ...

    def listen(self, heard: Callable[[bytes], None], lost: Callable[[], None], back: Callable[[], None]) -> None:
        """Have `heard` called with every message, `lost` when messages arrive no more, `back` when they do again."""
        ...

    async def tell(self, message: bytes) -> bool:
        """Send a message; return whether the server has it. Raises nothing."""
        ...


class ReadNotes(Protocol):
    """Takes note of where answers come from."""

    def answered(self, source: Source, age: float = 0.0) -> None:
        """Count the answer to the read at hand; `age` in seconds, of a stale one."""
        ...

    def forget_received(self) -> None:
        """Count a message that tells to forget."""
        ...

    def watch(self, entries: Callable[[], int], size: Callable[[], int]) -> None:
        """Show how many answers are remembered, and how many bytes they take."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What remembering answers needs of the service.

    How replicas are told, who counts, what waits for a request's turn, and the time that a request has (seconds).
    """

    broadcast: Broadcast
    notes: ReadNotes
    turn: Callable[[], Awaitable[None]]
    request_timeout: float
