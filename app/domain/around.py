# SPDX-License-Identifier: MIT
"""Wraps the methods of a provider's capability."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any, TypeVar, cast

from app.domain.ports import Absent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Method = Callable[..., Coroutine[Any, Any, Any]]

T = TypeVar("T")


def around(capability: T, put: Callable[[Method], Method]) -> T:
    """Return `capability` with `put` applied to each of its coroutine methods. `Absent` stays as it is.

    Everything else stays as it is.
    """
    if capability is None or isinstance(capability, Absent):
        return capability
    members = {
        name: put(member) if inspect.iscoroutinefunction(member) else member
        for name, member in inspect.getmembers(capability)
        if not name.startswith("_")
    }
    return cast("T", types.SimpleNamespace(**members))
