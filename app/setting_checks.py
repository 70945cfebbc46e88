# SPDX-License-Identifier: MIT
"""What a setting must be before the service starts with it: files, seeds, certificates, addresses of servers.

Each check returns the value, or raises ValueError with what is wrong and without the value.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pydantic import SecretStr

_SCHEMES: Final = ("nats", "tls")
_JWT: Final = "BEGIN NATS USER JWT"
_SEED: Final = "BEGIN USER NKEY SEED"


def check_file(path: Path) -> Path:
    """Take a file that can be read."""
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def check_servers(servers: tuple[str, ...]) -> tuple[str, ...]:
    """Take addresses of NATS servers: `nats://host:port`, `tls://host:port`, `host:port` or `host`."""
    for server in servers:
        try:
            url = urlsplit(server if "://" in server else f"nats://{server}")
            scheme = server.rpartition("://")[0] or "nats"
            usable = scheme in _SCHEMES and url.hostname and (url.port or 1) and url.path in {"", "/"}
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in server):
            raise ValueError("must be addresses such as nats://host:4222, comma-separated")
    return servers


def check_seed(seed: SecretStr) -> SecretStr:
    """Take an NKey seed."""
    _check_seed(seed.get_secret_value().strip())
    return seed


def check_credentials(path: Path) -> Path:
    """Take a credentials file: a user JWT and its seed, each below its own line."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeError):
        raise ValueError("holds no user JWT and seed") from None
    after = {mark: lines[n + 1] for n, line in enumerate(lines[:-1]) for mark in (_JWT, _SEED) if mark in line}
    if not after.get(_JWT) or not after.get(_SEED):
        raise ValueError("holds no user JWT and seed")
    _check_seed(after[_SEED].strip())
    return path


def check_ca(path: Path) -> Path:
    """Take a file with certificates."""
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:  # an SSLError is one
        raise ValueError("holds no certificate that can be read") from None
    return path


def check_certificate(certificate: Path, key: Path | None) -> None:
    """Take a certificate and its key; without a file for the key it stands beside the certificate."""
    try:
        # No password: a key that asks for one would ask on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        raise ValueError(
            "NATS_TLS_CERT, NATS_TLS_KEY: no certificate and key that can be read and belong together"
        ) from None


def _check_seed(seed: str) -> None:
    import nkeys  # noqa: PLC0415 - it loads a cryptographic library that few need

    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except Exception:  # noqa: BLE001 - a seed that is none raises whatever comes first
        raise ValueError("holds no NKey seed") from None
