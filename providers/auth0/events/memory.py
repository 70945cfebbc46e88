# SPDX-License-Identifier: MIT
"""The interface of remembered answers that the events need; see `providers.remembering`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@runtime_checkable
class Remembers(Protocol):
    """Remembered answers, here and in all other replicas."""

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users, in all replicas."""
        ...

    async def forget_fresh(self) -> None:
        """Let no answer read until now replace a call, in all replicas."""
        ...

    def trust(self, fresh_for: Callable[[], float]) -> None:
        """Call `fresh_for` for the maximum age of an answer (seconds)."""
        ...

    async def tell(self, kind: bytes) -> None:
        """Send a message to all replicas."""
        ...

    def hear(self, kind: bytes, heard: Callable[[], None]) -> None:
        """Call `heard` when a replica has sent such a message."""
        ...
