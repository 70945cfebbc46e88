# SPDX-License-Identifier: MIT
"""One synchronisation of the users in storage with Authelia's users file.

Any number of replicas may do it at once. A password is settled by who first gets it into the Secret, an entry by
who first gets it into the ConfigMap: both are updates from a known version, and who loses begins anew from what is
there. Only the replica whose update of the ConfigMap went through restarts Authelia, after it has left a note of
that (`restarts`): when it is killed in between, another finds the note a minute later.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import string
from typing import TYPE_CHECKING, Final

import bcrypt
from loguru import logger

from app.domain.redaction import redact_subject
from providers.authelia import records
from providers.authelia.kubernetes import VersionConflict
from providers.authelia.restarts import Restarts
from providers.authelia.storage import AddressHeld
from providers.authelia.users_file import BadUsersFile, UsersFile, WantedUser

if TYPE_CHECKING:
    from app.domain.users import Address
    from providers.authelia.kubernetes import Cluster, Object
    from providers.authelia.storage import Users

FILE: Final = "users_database.yml"
_PASSWORD: Final = string.ascii_letters + string.digits
_PASSWORD_LENGTH: Final = 20
_COST: Final = 12
_MAX_PASSWORD: Final = 72
"""Bytes of a password that bcrypt looks at."""
_TRIES: Final = 10
_SECRET_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


class TooManyConflicts(Exception):
    """Others changed the objects again and again."""


class Reconciler:
    """Brings storage and the users file in step, once at every call."""

    def __init__(self, users: Users, cluster: Cluster, restarts: Restarts) -> None:
        """Take the users, the three objects, and the notes of restarts."""
        self._users = users
        self._cluster = cluster
        self._restarts = restarts
        self._hashes: dict[str, tuple[str, str]] = {}
        self.conflicts = 0
        self.restarts = 0
        self.skipped = 0

    async def run(self) -> None:
        """Bring them in step. Raises KubernetesUnavailable, BadUsersFile, TooManyConflicts, ProviderUnavailable."""
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
        text = (configmap.get("data") or {}).get(FILE)
        if not isinstance(text, str):
            raise BadUsersFile(f"no {FILE}")
        file = await asyncio.to_thread(UsersFile, text)
        if at := await self._restarts.overdue(text):
            await self._restart(text, at)
        await self._import(file)
        wanted = await self._wanted()
        file.reconcile(wanted)
        missing = {name: user for name, user in wanted.items() if name not in set(file.usernames())}
        for name, password in (await self._passwords(missing)).items():
            file.add(name, missing[name], await self._hash(name, password))
        if file.changed:
            await self._write(configmap, await asyncio.to_thread(file.text))

    async def _write(self, configmap: Object, text: str) -> None:
        at = await self._restarts.note(text)
        await self._cluster.replace_configmap({**configmap, "data": {**configmap["data"], FILE: text}})
        await self._restart(text, at)

    async def _restart(self, text: str, at: str) -> None:
        for _ in range(_TRIES):
            try:
                restarted = await self._cluster.restart(at)
            except VersionConflict:
                self.conflicts += 1
                continue
            await self._restarts.forget(text)
            if restarted:
                self.restarts += 1
                logger.info("Authelia is restarted: its users file has changed")
            return
        raise TooManyConflicts

    async def _repair(self) -> None:
        """Give everybody the lookup keys that old data or a crash have left them without."""
        for username in await self._users.usernames():
            record = await self._users.find(username)
            if record is not None:
                await self._users.repair(username, record)

    async def _import(self, file: UsersFile) -> None:
        skipped = 0
        for username in file.usernames():
            if not records.is_username(username):
                logger.warning("a user of the users file is skipped: the name can be no key", user=_masked(username))
                skipped += 1
                continue
            email, displayname = file.describe(username)
            if await self._users.find(username) is None:
                skipped += not await self._create(username, email, displayname)
        self.skipped = skipped

    async def _create(self, username: str, email: Address | None, displayname: str) -> bool:
        try:
            await self._users.create(username, email or records.address(""), displayname)
        except AddressHeld:
            logger.warning("a user of the users file is skipped: the address is taken", user=_masked(username))
            return False
        return True

    async def _wanted(self) -> dict[str, WantedUser]:
        wanted = {}
        for username in await self._users.usernames():
            record = await self._users.find(username)
            if record is not None:
                email = records.address(records.text(record, "email"))
                wanted[username] = WantedUser(email, records.text(record, "displayname").strip())
        return wanted

    async def _passwords(self, missing: dict[str, WantedUser]) -> dict[str, str]:
        """Return a password each, all of them in the Secret by then."""
        names = [name for name in missing if _SECRET_KEY.fullmatch(name)]
        for name in missing.keys() - set(names):
            logger.warning("a user is skipped: the name can be no key of a Secret", user=_masked(name))
        if not names:
            return {}
        secret = await self._cluster.secret()
        entries = dict(secret.get("data") or {})
        found = {name: password for name in names if (password := _decoded(entries.get(name)))}
        made = {name: _new_password() for name in names if name not in found}
        if made:
            encoded = {name: base64.b64encode(password.encode()).decode() for name, password in made.items()}
            await self._cluster.replace_secret({**secret, "data": {**entries, **encoded}})
        return found | made

    async def _hash(self, username: str, password: str) -> str:
        known, hashed = self._hashes.get(username, ("", ""))
        if known != password:
            secret = password.encode()[:_MAX_PASSWORD]
            hashed = (await asyncio.to_thread(lambda: bcrypt.hashpw(secret, bcrypt.gensalt(_COST)))).decode()
            # For the next try after a conflict only: passwords are not kept longer than they are needed.
            self._hashes = {username: (password, hashed)}
        return hashed


def _masked(username: str) -> str:
    return redact_subject(f"user|{username}").removeprefix("user|")


def _new_password() -> str:
    return "".join(secrets.choice(_PASSWORD) for _ in range(_PASSWORD_LENGTH))


def _decoded(value: object) -> str:
    try:
        return base64.b64decode(value, validate=True).decode() if isinstance(value, str) else ""
    except (binascii.Error, ValueError):
        return ""
