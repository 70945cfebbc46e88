# SPDX-License-Identifier: MIT
"""What the events need of what is remembered; see `providers.remembering`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@runtime_checkable
class Remembers(Protocol):
    """Answers that are remembered, here and in all other replicas."""

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users, in all replicas."""
        ...

    async def forget_fresh(self) -> None:
        """Let nothing read until now stand in for a call, in all replicas."""
        ...

    def trust(self, fresh_for: Callable[[], float]) -> None:
        """Have `fresh_for` say how old an answer may be (seconds)."""
        ...

    async def tell(self, kind: bytes) -> None:
        """Tell all replicas something."""
        ...

    def hear(self, kind: bytes, heard: Callable[[], None]) -> None:
        """Have `heard` called when a replica tells something."""
        ...
