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
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from providers.remembering.directory import Parts, RememberingDirectory, Rules
from providers.remembering.forgetting import Forgetting
from providers.remembering.memory import Memory
from providers.remembering.outages import Outage
from providers.remembering.renewals import Renewals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Provider
    from app.domain.reads import NamingDirectory, ReadContext
    from app.settings.reads import ReadSettings


class Remembering:
    """The remembered answers of one process, and the methods that make them out of date."""

    def __init__(self, settings: ReadSettings, context: ReadContext) -> None:
        """Take the settings, and what the service provides."""
        self._settings = settings
        self._context = context
        self._memory = Memory(settings.memory, 2 * context.request_timeout)
        forgetting = self._forgetting = Forgetting(self._memory, context.broadcast, context.notes, time.monotonic)
        # For those who know of changes, and for messages of their own.
        self.note, self.forget, self.forget_fresh = forgetting.note, forgetting.forget, forgetting.forget_fresh
        self.tell, self.hear = forgetting.tell, forgetting.hear
        self._outage = Outage()
        self._renewals = Renewals(context.request_timeout)
        self._fresh_for: Callable[[], float] = lambda: settings.fresh_for
        context.notes.watch(lambda: self._memory.entries, lambda: self._memory.size)

    def trust(self, fresh_for: Callable[[], float]) -> None:
        """Call `fresh_for` at every read: the maximum age of an answer that replaces a call (seconds).

        `READ_FRESH_FOR` applies if it is longer. The value can change at any time, because age is checked at each read.
        After a time with missed changes, call `forget_fresh` before the value rises again.
        """
        self._fresh_for = lambda: max(fresh_for(), self._settings.fresh_for)

    def over(self, provider: Provider) -> Provider:
        """Return `provider` with a remembering directory. Its capabilities report changes before they return."""
        directory = cast("NamingDirectory", provider.directory)
        self._forgetting.share(provider.secret, provider.changed)
        context, telling = self._context, self._forgetting.telling
        parts = Parts(self._memory, self._forgetting, self._outage, self._renewals, context.notes, context.turn)
        rules = Rules(
            fresh_for=lambda: self._fresh_for() if context.broadcast.stands else 0.0,
            unheard=lambda: context.broadcast.unheard,
            stale_for=self._settings.stale_for,
            patience=self._settings.patience,
            longest_read=context.request_timeout,
            limited=provider.limited,
            clock=time.monotonic,
        )
        return replace(
            provider,
            directory=RememberingDirectory(telling(directory), parts, rules),
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

    async def aclose(self) -> None:
        """End all background tasks."""
        self._outage.close()
        await self._renewals.close()
        await self._forgetting.close()

    async def _leave(self, provider: Provider) -> None:
        """Let what has begun to write end, while the provider takes its leave."""
        await asyncio.gather(provider.leave(), self._renewals.settle())

    def _state(self) -> Mapping[str, str]:
        """Return what an operator should know, without normal states. It does not affect readiness."""
        deaf = "" if self._context.broadcast.stands else "what other replicas change is not heard"
        state = self._outage.state or deaf
        return {"remembered answers?": state} if state else {}
