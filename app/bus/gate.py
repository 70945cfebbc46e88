# SPDX-License-Identifier: MIT
"""The gate before every provider: who would wait there gets its turn first; see `turns`."""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from app.domain.deadline import current_deadline
from app.domain.ports import Absent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

T = TypeVar("T")
PAUSED: Final = object()
"""What a request yields that waits for its turn. A task refuses it, so a pause in the wrong place is noticed."""


@types.coroutine
def _pause() -> Generator[object, None, None]:
    yield PAUSED


async def take_turn() -> None:
    """Wait until the request at work has its turn; returns at once when it has."""
    deadline = current_deadline()
    if not deadline.begun:
        await _pause()
        deadline.begun = True


def in_turn(capability: T) -> T:
    """Return `capability` with each of its coroutine methods waiting for the request's turn first.

    What else it has is as it was.
    """
    if capability is None or isinstance(capability, Absent):
        return capability

    def gated(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
            await take_turn()
            return await method(*args, **kwargs)

        return call

    members = {
        name: gated(member) if inspect.iscoroutinefunction(member) else member
        for name, member in inspect.getmembers(capability)
        if not name.startswith("_")
    }
    return cast("T", types.SimpleNamespace(**members))
