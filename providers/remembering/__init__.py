# SPDX-License-Identifier: MIT
"""Remembered answers: one decorator of the `Directory` port, the same for every provider.

A provider must do three things: call `note` of `app.domain.reads.Changes` at every change that it makes; have an
`app.domain.reads.NamingDirectory` as directory; and set `Provider.secret`, `.limited` and `.changed`.

A source of changes by others, such as a stream of events, calls `forget` for a changed user and `forget_fresh` when it
may have missed changes. With `trust` it says for how long answers may replace calls while it misses nothing. `tell` and
`hear` are for its own messages between replicas.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from providers.remembering.directory import Parts, RememberingDirectory, Rules
from providers.remembering.forgetting import Forgetting
from providers.remembering.memory import Memory
from providers.remembering.outages import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from app.domain.ports import Provider
    from app.domain.reads import NamingDirectory, ReadContext
    from app.settings.reads import ReadSettings


class Remembering:
    """The remembered answers of one process, and the methods that make them out of date."""

    def __init__(
        self, settings: ReadSettings, context: ReadContext, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the settings, what the service provides, and a monotonic clock (seconds)."""
        self._settings = settings
        self._context = context
        self._clock = clock
        self._memory = Memory(settings.memory, 2 * context.request_timeout)
        self._forgetting = Forgetting(self._memory, context.broadcast, context.notes, clock)
        self._outage = Outage()
        self._fresh_for: Callable[[], float] = lambda: settings.fresh_for
        self._directory: RememberingDirectory | None = None
        context.notes.watch(lambda: self._memory.entries, lambda: self._memory.size)

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Report a change that the provider itself makes; see `app.domain.reads.Changes`."""
        self._forgetting.note(*user_ids, addresses=addresses)

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users that others have changed: by subject identifiers, before and after, and by addresses.

        This process forgets at once. When this returns, NATS has the message for all other replicas. It is harmless to
        call it twice, or in another order than that of the changes.
        """
        await self._forgetting.forget(*user_ids, addresses=addresses)

    async def forget_fresh(self) -> None:
        """Let no answer read until now replace a call, in all replicas: changes may have been missed.

        Such answers may still replace errors.
        """
        await self._forgetting.forget_fresh()

    def trust(self, fresh_for: Callable[[], float]) -> None:
        """Call `fresh_for` at every read: the maximum age of an answer that replaces a call (seconds).

        `READ_FRESH_FOR` applies if it is longer. The value can change at any time, because age is checked at each read.
        After a time with missed changes, call `forget_fresh` before the value rises again.
        """
        self._fresh_for = lambda: max(fresh_for(), self._settings.fresh_for)

    async def tell(self, kind: bytes) -> None:
        """Send a message of that kind to all replicas, including this one. A kind is one byte, not `f`, `n` or `a`.

        If it cannot be sent at once, it is dropped, because it describes only the present.
        """
        await self._forgetting.tell(kind)

    def hear(self, kind: bytes, heard: Callable[[], None]) -> None:
        """Call `heard` when a replica has sent a message of that kind, at most some seconds ago.

        Only replicas with the same secret can send one. A repeated message is ignored.
        """
        self._forgetting.hear(kind, heard)

    def over(self, provider: Provider) -> Provider:
        """Return `provider` with a remembering directory. Its capabilities report changes before they return."""
        directory = cast("NamingDirectory", provider.directory)
        self._forgetting.share(provider.secret, provider.changed)
        parts = Parts(self._memory, self._forgetting, self._outage, self._context.notes, self._context.turn)
        rules = Rules(
            fresh_for=lambda: self._fresh_for() if self._context.broadcast.stands else 0.0,
            unheard=lambda: self._context.broadcast.unheard,
            stale_for=self._settings.stale_for,
            patience=self._settings.patience,
            longest_read=self._context.request_timeout,
            limited=provider.limited,
            clock=self._clock,
        )
        self._directory = RememberingDirectory(self._forgetting.telling(directory), parts, rules)
        telling = self._forgetting.telling
        return replace(
            provider,
            directory=self._directory,
            callers=telling(provider.callers),
            profiles=telling(provider.profiles),
            accounts=telling(provider.accounts),
            identities=telling(provider.identities),
            aliases=telling(provider.aliases),
            passwords=telling(provider.passwords),
            clients=telling(provider.clients),
            leave=functools.partial(self._leave, provider),
            readiness=lambda: {**provider.readiness(), **self._state()},
        )

    async def close(self) -> None:
        """End all background tasks."""
        self._outage.close()
        if self._directory is not None:
            await self._directory.close()
        await self._forgetting.close()

    async def _leave(self, provider: Provider) -> None:
        """Let what has begun to write end, while the provider takes its leave."""
        directory = self._directory
        await asyncio.gather(provider.leave(), *([directory.settle()] if directory is not None else []))

    def _state(self) -> Mapping[str, str]:
        """Return what an operator should know, without normal states. It does not affect readiness."""
        deaf = "" if self._context.broadcast.stands else "what other replicas change is not heard"
        state = self._outage.state or deaf
        return {"remembered answers?": state} if state else {}


@asynccontextmanager
async def remembering(settings: ReadSettings, context: ReadContext) -> AsyncIterator[Remembering]:
    """Remember answers while the context lasts."""
    memory = Remembering(settings, context)
    try:
        yield memory
    finally:
        await memory.close()
