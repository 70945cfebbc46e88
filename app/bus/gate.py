# SPDX-License-Identifier: MIT
"""A request waits for its turn before its first call of a provider; see `turns`."""

from __future__ import annotations

import functools
import math
import types
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain.around import around
from app.domain.deadline import current_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

T = TypeVar("T")
PAUSED: Final = object()
"""What a request yields that waits for its turn. A task refuses it, so a pause in the wrong place is noticed."""


@types.coroutine
def _pause() -> Generator[object, None, None]:
    yield PAUSED


async def take_turn(within: float = math.inf) -> bool:
    """Wait until the request at work has its turn, at most `within` seconds; return whether it has, at once if so.

    A request that was passed over gets False at once, unless it now waits without a limit.
    """
    deadline = current_deadline()
    if not deadline.begun and not (deadline.passed_over and within < math.inf):
        deadline.patience = within
        await _pause()
    return deadline.begun


def in_turn(capability: T) -> T:
    """Return `capability` with each of its coroutine methods waiting for the request's turn first.

    A capability with `takes_turns` waits itself, because some of its answers need no turn.
    """
    return capability if getattr(capability, "takes_turns", False) else around(capability, _gated)


def _gated(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
        await take_turn()
        return await method(*args, **kwargs)

    return call
