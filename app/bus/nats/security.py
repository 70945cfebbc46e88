# SPDX-License-Identifier: MIT
"""Authentication and encryption of connections to NATS: of the broker's, and of any other."""

from __future__ import annotations

import base64
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

from nats.errors import InvalidUserCredentialsError

from app.settings.secret_texts import Credentials, bare, read_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from app.settings import NatsSettings


def security_options(nats: NatsSettings) -> dict[str, Any]:
    """Return the arguments of `nats.connect` for authentication and TLS. The settings have checked the files."""
    options: dict[str, Any] = {}
    if nats.credentials:
        # Read anew at every connection, so that they can be replaced; not by nats-py, which keeps the CR of a line end,
        # and reads a file without a JWT for ever.
        options["user_jwt_cb"] = partial(_user_jwt, nats.credentials)
        options["signature_cb"] = partial(_signature, nats.credentials)
    if nats.nkey_seed:
        options["nkeys_seed_str"] = bare(nats.nkey_seed.get_secret_value())
    if nats.user:
        options["user"] = nats.user
    if nats.password:
        options["password"] = nats.password.get_secret_value()
    if nats.token:
        options["token"] = nats.token.get_secret_value()
    if nats.tls_ca or nats.tls_cert or any(server.startswith("tls://") for server in nats.servers):
        options["tls"] = _tls(nats)
    return options


def _user_jwt(path: Path) -> bytes:
    return _read(path).jwt.encode()


def _signature(path: Path, nonce: str) -> bytes:
    """Return the signature of what the server sent, by the seed in the file (base64)."""
    import nkeys  # noqa: PLC0415 - it loads a cryptographic library that few need

    try:
        keys = nkeys.from_seed(bytearray(_read(path).seed.encode()))
    except nkeys.NkeysError as error:
        raise InvalidUserCredentialsError from error
    try:
        return base64.b64encode(keys.sign(nonce.encode()))
    finally:
        keys.wipe()


def _read(path: Path) -> Credentials:
    """Return what the file holds now: while it is being replaced an attempt to connect fails, and the next may not."""
    try:
        return read_credentials(path)
    except ValueError:
        raise InvalidUserCredentialsError from None


def _tls(nats: NatsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(nats.tls_ca) if nats.tls_ca else None)
    if nats.tls_cert:
        context.load_cert_chain(str(nats.tls_cert), str(nats.tls_key) if nats.tls_key else None)
    return context
