# SPDX-License-Identifier: MIT
"""One synchronisation of the users in storage with Authelia's users file.

Any number of replicas may do it at once. A password is settled by who first gets it into the Secret, an entry by
who first gets it into the ConfigMap: both are updates from a known version, and who loses begins anew from what is
there. Who has updated the ConfigMap notes where the others see it that a restart of Authelia is owed (`restarts`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import string
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import bcrypt
from loguru import logger

from app.domain.redaction import redact_subject
from providers.authelia.cluster.kubernetes import VersionConflict, part, restarted_at
from providers.authelia.cluster.users_file import BadUsersFile, UsersFile, WantedUser
from providers.authelia.storage import records
from providers.authelia.storage.kv import Unreadable
from providers.authelia.storage.users import AddressHeld

if TYPE_CHECKING:
    from app.domain.users import Address
    from providers.authelia.cluster.kubernetes import Cluster, Object
    from providers.authelia.cluster.restarts import Owed, Restarts
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users

FILE: Final = "users_database.yml"
_PASSWORD: Final = string.ascii_letters + string.digits
_PASSWORD_LENGTH: Final = 20
_MAX_PASSWORD: Final = 72
"""Bytes of a password that bcrypt looks at."""
_TRIES: Final = 10
_SOON: Final = 1.0
"""Seconds until it is looked again what is owed when another replica was faster."""
_SECRET_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


class TooManyConflicts(Exception):
    """Others changed the objects again and again."""


class Reconciler:
    """Brings storage and the users file in step, once at every call."""

    def __init__(self, users: Users, cluster: Cluster, restarts: Restarts, hash_cost: int) -> None:
        """Take the users, the three objects, the notes of restarts, and the cost of bcrypt."""
        self._users = users
        self._cluster = cluster
        self._restarts = restarts
        self._hash_cost = hash_cost
        self._unreadable: set[str] = set()
        self._hashes: dict[str, tuple[str, str]] = {}
        self.conflicts = 0
        self.restarts = 0
        self.skipped = 0
        self._left_alone: list[str] = []
        self.next_restart: float | None = None
        """In how many seconds a restart may be made that is owed, or may turn out to be; None when there is none."""
        self._unsettled: float | None = None
        """In how many seconds a restart is owed for what stands in the file, unless its writer says so before."""

    @property
    def left_alone(self) -> str:
        """What of the last run must be mended by hand."""
        return "; ".join(self._left_alone)

    async def run(self) -> None:
        """Bring them in step. Raises KubernetesUnavailable, BadUsersFile, TooManyConflicts, ProviderUnavailable."""
        self._unsettled = None
        try:
            await self._in_step()
        except Exception:
            await self._restart()  # which is owed whatever has come between
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
        await self._import(file)
        wanted = await self._wanted()
        file.reconcile(wanted)
        missing = file.missing(wanted)
        for name, password in (await self._passwords(missing)).items():
            file.add(name, missing[name], await self._hash(name, password))
        if (changed := await asyncio.to_thread(file.text)) != text:
            await self._write(configmap, changed)

    async def _write(self, configmap: Object, text: str) -> None:
        noted = await self._restarts.note(text)
        try:
            await self._cluster.replace_configmap({**configmap, "data": {**configmap["data"], FILE: text}})
        except VersionConflict:
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

    async def _import(self, file: UsersFile) -> None:
        skipped = 0
        for username in file.usernames():
            if not records.is_username(username):
                logger.warning("a user of the users file is skipped: the name can be no key", user=_masked(username))
                skipped += 1
                continue
            email, displayname = file.describe(username)
            with suppress(Unreadable):
                if await self._users.find(username) is None:
                    skipped += not await self._create(username, email, displayname)
        self.skipped = skipped + len(self._unreadable)
        self._left_alone = []
        if many := len(self._unreadable):
            self._left_alone.append(f"{'1 record' if many == 1 else f'{many} records'} in storage cannot be read")

    async def _create(self, username: str, email: Address | None, displayname: str) -> bool:
        try:
            await self._users.create(username, email or records.address(""), displayname)
        except AddressHeld:
            logger.warning("a user of the users file is skipped: the address is taken", user=_masked(username))
            return False
        return True

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
            logger.warning("a user is skipped: the record in storage cannot be read", user=_masked(username))
        self._unreadable = unreadable
        return stored

    async def _passwords(self, missing: dict[str, WantedUser]) -> dict[str, str]:
        """Return a password each, all of them in the Secret by then."""
        names = [name for name in missing if _SECRET_KEY.fullmatch(name)]
        for name in missing.keys() - set(names):
            logger.warning("a user is skipped: the name can be no key of a Secret", user=_masked(name))
            self.skipped += 1
        if not names:
            return {}
        secret = await self._cluster.secret()
        entries = part(secret, "data")
        found = {name: _decoded(entries[name]) for name in names if entries.get(name)}
        made = {name: _new_password() for name in names if name not in found}
        if unreadable := sorted(name for name, password in found.items() if not password):
            self._leave_alone(unreadable)
        if made:
            encoded = {name: base64.b64encode(password.encode()).decode() for name, password in made.items()}
            await self._cluster.replace_secret({**secret, "data": {**entries, **encoded}})
        return {name: password for name, password in (found | made).items() if password}

    def _leave_alone(self, names: list[str]) -> None:
        for name in names:
            logger.warning("a user is skipped: the entry of the Secret is no password", user=_masked(name))
        self.skipped += len(names)
        entries = "1 entry" if len(names) == 1 else f"{len(names)} entries"
        self._left_alone.append(f"{entries} of the Secret cannot be a password: no UTF-8, or a NUL in it")

    async def _hash(self, username: str, password: str) -> str:
        known, hashed = self._hashes.get(username, ("", ""))
        if known != password:
            secret = password.encode()[:_MAX_PASSWORD]
            hashed = (await asyncio.to_thread(lambda: bcrypt.hashpw(secret, bcrypt.gensalt(self._hash_cost)))).decode()
            # For the next try after a conflict only: passwords are not kept longer than they are needed.
            self._hashes = {username: (password, hashed)}
        return hashed


def _masked(username: str) -> str:
    return redact_subject(f"user|{username}").removeprefix("user|")


def _new_password() -> str:
    return "".join(secrets.choice(_PASSWORD) for _ in range(_PASSWORD_LENGTH))


def _decoded(value: object) -> str:
    """Return the password that stands there; empty when it can be none: bcrypt takes no NUL."""
    try:
        password = base64.b64decode(value, validate=True).decode() if isinstance(value, str) else ""
    except (binascii.Error, ValueError):
        return ""
    return "" if "\0" in password else password
