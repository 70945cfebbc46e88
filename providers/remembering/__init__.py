# SPDX-License-Identifier: MIT
"""Answers that are remembered: one decorator of the port by which users are found, the same for every provider.

How a provider takes part: it calls `note` of `app.domain.reads.Changes` at every change that it makes; its directory
is an `app.domain.reads.NamingDirectory`; `Provider.secret`, `.limited` and `.changed` tell what only it knows.

How who hears of changes from elsewhere takes part (a stream of events, say): `forget` for a user that was changed,
`forget_fresh` when something may have been missed, `trust` to say for how long answers may stand in for a call while
all is heard, `tell` and `hear` for messages of its own kind between replicas.
"""

from __future__ import annotations

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
    from app.domain.reads import Around, NamingDirectory
    from app.settings.reads import ReadSettings


class Remembering:
    """What is remembered of reads by one process, and who may say that it is out of date."""

    def __init__(self, settings: ReadSettings, around: Around, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the settings, what stands around, and a clock that never jumps (seconds)."""
        self._settings = settings
        self._around = around
        self._clock = clock
        self._memory = Memory(settings.memory, 2 * around.request_timeout)
        self._forgetting = Forgetting(self._memory, around.broadcast, around.notes, clock)
        self._outage = Outage()
        self._fresh_for: Callable[[], float] = lambda: settings.fresh_for
        self._directory: RememberingDirectory | None = None
        around.notes.watch(lambda: self._memory.entries, lambda: self._memory.size)

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Take note of a change that the provider itself makes; see `app.domain.reads.Changes`."""
        self._forgetting.note(*user_ids, addresses=addresses)

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users that were changed elsewhere: by their subject identifiers, before and after, and addresses.

        It is done here when this begins, and NATS has the message for all other replicas when it returns. To call it
        twice, or in another order than that of the changes, does no harm.
        """
        await self._forgetting.forget(*user_ids, addresses=addresses)

    async def forget_fresh(self) -> None:
        """Let nothing read until now stand in for a call, in all replicas, since changes may have been missed.

        It may still stand in for an error.
        """
        await self._forgetting.forget_fresh()

    def trust(self, fresh_for: Callable[[], float]) -> None:
        """Have `fresh_for` say, at every read, how old an answer may be that stands in for a call: seconds.

        Where it says less than `READ_FRESH_FOR`, that counts. It can change at any time: an answer is looked at when it
        is wanted. After a time in which changes were missed, call `forget_fresh` before it says more again.
        """
        self._fresh_for = lambda: max(fresh_for(), self._settings.fresh_for)

    async def tell(self, kind: bytes) -> None:
        """Send a message of that kind, one byte but not `f`, `n` or `a`, to all replicas, this one included.

        Where it cannot be sent at once it is not sent: it says what is so now.
        """
        await self._forgetting.tell(kind)

    def hear(self, kind: bytes, heard: Callable[[], None]) -> None:
        """Have `heard` called when a replica has sent a message of that kind, seconds ago at most.

        Only those with the same secret can send one, and nobody can have it heard twice.
        """
        self._forgetting.hear(kind, heard)

    def over(self, provider: Provider) -> Provider:
        """Return `provider` with a directory that remembers, and with changes told before the capabilities return."""
        directory = cast("NamingDirectory", provider.directory)
        self._forgetting.share(provider.secret, provider.changed)
        parts = Parts(self._memory, self._forgetting, self._outage, self._around.notes, self._around.turn)
        rules = Rules(
            fresh_for=lambda: self._fresh_for() if self._around.broadcast.stands else 0.0,
            unheard=lambda: self._around.broadcast.unheard,
            stale_for=self._settings.stale_for,
            patience=self._settings.patience,
            longest_read=self._around.request_timeout,
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
            readiness=lambda: {**provider.readiness(), **self._state()},
        )

    async def close(self) -> None:
        """End all that goes on."""
        self._outage.close()
        if self._directory is not None:
            await self._directory.close()
        await self._forgetting.close()

    def _state(self) -> Mapping[str, str]:
        """Say what an operator should know; nothing of what is as it should be. It decides nothing."""
        deaf = "" if self._around.broadcast.stands else "what other replicas change is not heard"
        state = self._outage.state or deaf
        return {"remembered answers?": state} if state else {}


@asynccontextmanager
async def remembering(settings: ReadSettings, around: Around) -> AsyncIterator[Remembering]:
    """Remember answers while the context lasts."""
    memory = Remembering(settings, around)
    try:
        yield memory
    finally:
        await memory.close()
