# SPDX-License-Identifier: MIT
"""The passwords of those who are not in the users file yet: in the Secret first, then hashed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import string
from typing import TYPE_CHECKING, Final

import bcrypt

from providers.authelia.cluster.kubernetes import part
from providers.authelia.cluster.skipping import log_skipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from providers.authelia.cluster.kubernetes import Cluster

_CHARACTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 20
_MAX_BYTES: Final = 72
"""What bcrypt looks at of a password."""
_SECRET_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


class Passwords:
    """Settles passwords by who first gets them into the Secret, and hashes them."""

    def __init__(self, cluster: Cluster, hash_cost: int) -> None:
        """Take the objects in Kubernetes, and the cost of bcrypt."""
        self._cluster = cluster
        self._hash_cost = hash_cost
        self._hashed: dict[str, tuple[str, str]] = {}
        """Password and hash of each, until they are in the file: attempts that fail write the same text."""
        self.skipped = 0
        """How many got no password the last time."""
        self.left_alone = ""
        """What of the Secret must be mended by hand."""

    async def hashes(self, usernames: Iterable[str]) -> dict[str, str]:
        """Return the hash of a password each, all of them in the Secret by then.

        Who can have none is left out, and logged. Raises KubernetesUnavailable, VersionConflict.
        """
        self.skipped, self.left_alone = 0, ""
        passwords = await self._passwords(list(usernames))
        self._hashed = {name: known for name, known in self._hashed.items() if known[0] == passwords.get(name)}
        for name, password in passwords.items():
            if name not in self._hashed:
                self._hashed[name] = (password, await self._hash(password))
        return {name: hashed for name, (_, hashed) in self._hashed.items()}

    def settled(self) -> None:
        """Forget the passwords: they are not kept longer than they are needed."""
        self._hashed = {}

    async def _passwords(self, usernames: list[str]) -> dict[str, str]:
        names = [name for name in usernames if _SECRET_KEY.fullmatch(name)]
        for name in set(usernames) - set(names):
            log_skipped(name, "the name can be no key of a Secret")
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
            log_skipped(name, "the entry of the Secret is no password")
        self.skipped += len(names)
        entries = "1 entry" if len(names) == 1 else f"{len(names)} entries"
        self.left_alone = f"{entries} of the Secret cannot be a password: no UTF-8, or a NUL in it"

    async def _hash(self, password: str) -> str:
        secret = password.encode()[:_MAX_BYTES]
        return (await asyncio.to_thread(lambda: bcrypt.hashpw(secret, bcrypt.gensalt(self._hash_cost)))).decode()


def _new_password() -> str:
    return "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))


def _decoded(value: object) -> str:
    """Return the password that stands there; empty when it can be none: bcrypt takes no NUL."""
    try:
        password = base64.b64decode(value, validate=True).decode() if isinstance(value, str) else ""
    except (binascii.Error, ValueError):
        return ""
    return "" if "\0" in password else password
