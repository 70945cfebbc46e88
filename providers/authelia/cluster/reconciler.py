# SPDX-License-Identifier: MIT
"""One synchronisation of the users in storage with Authelia's users file.

Any number of replicas may do it at once. A password is settled by who first gets it into the Secret, an entry by
who first gets it into the ConfigMap: both are updates from a known version, and who loses begins anew from what is
there. Who has updated the ConfigMap notes where the others see it that a restart of Authelia is owed (`restarts`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loguru import logger

from providers.authelia.cluster.imports import Imports
from providers.authelia.cluster.kubernetes import Refused, VersionConflict, part, restarted_at
from providers.authelia.cluster.passwords import Passwords
from providers.authelia.cluster.skipping import log_skipped
from providers.authelia.cluster.users_file import BadUsersFile, UsersFile, WantedUser
from providers.authelia.storage import records
from providers.authelia.storage.kv import Unreadable

if TYPE_CHECKING:
    from providers.authelia.cluster.kubernetes import Cluster, Object
    from providers.authelia.cluster.restarts import Owed, Restarts
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users

FILE: Final = "users_database.yml"
_TRIES: Final = 10
_SOON: Final = 1.0
"""Seconds until it is looked again what is owed when another replica was faster."""


class TooManyConflicts(Exception):
    """Others changed the objects again and again."""


class Reconciler:
    """Brings storage and the users file in step, once at every call."""

    def __init__(self, users: Users, cluster: Cluster, restarts: Restarts, hash_cost: int) -> None:
        """Take the users, the three objects, the notes of restarts, and the cost of bcrypt."""
        self._users = users
        self._cluster = cluster
        self._restarts = restarts
        self._imports = Imports(users)
        self._passwords = Passwords(cluster, hash_cost)
        self._unreadable: set[str] = set()
        self.conflicts = 0
        self.restarts = 0
        self.next_restart: float | None = None
        """In how many seconds a restart may be made that is owed, or may turn out to be; None when there is none."""
        self._unsettled: float | None = None
        """In how many seconds a restart is owed for what stands in the file, unless its writer says so before."""

    @property
    def skipped(self) -> int:
        """How many users the last run could not read from the users file, or not write to it."""
        return self._imports.skipped + len(self._unreadable) + self._passwords.skipped

    @property
    def left_alone(self) -> str:
        """What of the last run must be mended by hand."""
        many = len(self._unreadable)
        unreadable = f"{'1 record' if many == 1 else f'{many} records'} in storage cannot be read" if many else ""
        return "; ".join(filter(None, (unreadable, self._passwords.left_alone)))

    async def run(self) -> None:
        """Bring them in step. Raises KubernetesUnavailable, BadUsersFile, TooManyConflicts, ProviderUnavailable."""
        self._unsettled = None
        try:
            await self._in_step()
        except Exception:  # a restart is owed whatever has come between
            await self._restart()
            raise
        await self._restart()

    async def _in_step(self) -> None:
        await self._repair()
        for _ in range(_TRIES):
            try:
                await self._once()
            except VersionConflict:
                self.conflicts += 1
                continue
            return
        raise TooManyConflicts

    async def _once(self) -> None:
        configmap = await self._cluster.configmap()
        text = part(configmap, "data").get(FILE)
        if not isinstance(text, str):
            raise BadUsersFile(f"no {FILE}")
        file = await asyncio.to_thread(UsersFile, text)
        self._unsettled = await self._restarts.recover(text)
        await self._imports.run(file)
        wanted = await self._wanted()
        file.reconcile(wanted)
        missing = file.missing(wanted)
        for name, hashed in (await self._passwords.hashes(missing)).items():
            file.add(name, missing[name], hashed)
        if (changed := await asyncio.to_thread(file.text)) != text:
            await self._write(configmap, changed)
        self._passwords.settled()

    async def _write(self, configmap: Object, text: str) -> None:
        noted = await self._restarts.note(text)
        try:
            await self._cluster.replace_configmap({**configmap, "data": {**configmap["data"], FILE: text}})
        except (VersionConflict, Refused):
            await self._restarts.withdraw(text, noted)
            raise
        await self._restarts.owe(text)

    async def _restart(self) -> None:
        """Restart Authelia when that is owed and it is time."""
        self.next_restart = self._unsettled
        waits = (self._unsettled, await self._restart_owed())
        self.next_restart = min((wait for wait in waits if wait is not None), default=None)

    async def _restart_owed(self) -> float | None:
        """Make the restart that is owed; return the seconds until it may be made, or must be looked at again."""
        owed = await self._restarts.owed()
        if owed is None:
            return None
        daemonset = await self._cluster.daemonset()
        if owed.at and owed.at == restarted_at(daemonset):
            await self._restarts.made(owed)
            return None
        if wait := self._restarts.wait(owed, restarted_at(daemonset)):
            return wait
        if begun := await self._restarts.begin(owed):
            return await self._make(begun, daemonset)
        return _SOON

    async def _make(self, begun: Owed, daemonset: Object) -> float | None:
        before = restarted_at(daemonset)
        for _ in range(_TRIES):
            try:
                await self._cluster.restart(daemonset, begun.at)
            except VersionConflict:
                self.conflicts += 1
                daemonset = await self._cluster.daemonset()
                if restarted_at(daemonset) == before:
                    continue
                return _SOON  # somebody else made one
            await self._restarts.made(begun)
            self.restarts += 1
            logger.info("Authelia is restarted: its users file has changed")
            return None
        raise TooManyConflicts

    async def _repair(self) -> None:
        """Give everybody the lookup keys that old data or a crash have left them without."""
        for username, record in (await self._stored()).items():
            with suppress(Unreadable):  # of somebody else's, meanwhile
                await self._users.repair(username, record)

    async def _wanted(self) -> dict[str, WantedUser]:
        wanted = {}
        for username, record in (await self._stored()).items():
            email = records.address(records.text(record, "email"))
            wanted[username] = WantedUser(email, records.text(record, "displayname").strip())
        return wanted

    async def _stored(self) -> dict[str, Record]:
        """Return the records; of those that cannot be read a new one is logged."""
        stored, unreadable = {}, set()
        for username in await self._users.usernames():
            try:
                record = await self._users.find(username)
            except Unreadable:
                unreadable.add(username)
                continue
            if record is not None:
                stored[username] = record
        for username in sorted(unreadable - self._unreadable):
            log_skipped(username, "the record in storage cannot be read")
        self._unreadable = unreadable
        return stored
