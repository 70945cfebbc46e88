# SPDX-License-Identifier: MIT
"""A nats-server in operator mode: an operator, one account and one user, each with an NKey and a JWT of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Any

import nkeys

_UNLIMITED = -1
_ACCOUNT_LIMITS = ("subs", "conn", "leaf", "imports", "exports", "data", "payload")


@dataclass
class _Party:
    keys: Any
    seed: str
    public: str


def _party(prefix: int) -> _Party:
    seed = nkeys.encode_seed(os.urandom(32), prefix)
    keys = nkeys.from_seed(bytearray(seed))
    return _Party(keys, seed.decode(), keys.public_key.decode())


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _jwt(issuer: _Party, subject: _Party, name: str, nats: dict[str, Any]) -> str:
    claims = {"iat": int(time.time()), "iss": issuer.public, "name": name, "sub": subject.public}
    claims["nats"] = {**nats, "version": 2}
    claims["jti"] = base64.b32encode(hashlib.sha256(_part(claims).encode()).digest()).decode().rstrip("=")
    signed = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(issuer.keys.sign(signed.encode())).decode().rstrip("=")
    return f"{signed}.{signature}"


class OperatorMode:
    """What the server is configured with, and what a user of it has."""

    def __init__(self) -> None:
        operator = _party(nkeys.PREFIX_BYTE_OPERATOR)
        account = _party(nkeys.PREFIX_BYTE_ACCOUNT)
        self._user = _party(nkeys.PREFIX_BYTE_USER)
        limits = {**dict.fromkeys(_ACCOUNT_LIMITS, _UNLIMITED), "wildcards": True}
        of_account = _jwt(operator, account, "account", {"type": "account", "limits": limits})
        system = _party(nkeys.PREFIX_BYTE_ACCOUNT)
        of_system = _jwt(operator, system, "SYS", {"type": "account", "limits": limits})
        of_operator = _jwt(operator, operator, "operator", {"type": "operator"})
        accounts = f"{account.public}: {of_account}\n{system.public}: {of_system}\n"
        self.config = (
            f"operator: {of_operator}\nsystem_account: {system.public}\n"
            f"resolver: MEMORY\nresolver_preload: {{\n{accounts}}}\n"
        )
        everything = {"pub": {}, "sub": {}, "subs": _UNLIMITED, "data": _UNLIMITED, "payload": _UNLIMITED}
        self._jwt = _jwt(account, self._user, "user", {"type": "user", **everything})

    @property
    def credentials(self) -> str:
        """The user's credentials file, as `nsc` writes it."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self._jwt}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n"
            "NKEY Seed printed below can be used to sign and prove identity.\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self._user.seed}\n------END USER NKEY SEED------\n\n"
            "*************************************************************\n"
        )
