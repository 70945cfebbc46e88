# SPDX-License-Identifier: MIT
"""How a connection to NATS is authenticated and encrypted: for the broker, and for whoever else connects."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.settings import NatsSettings


def security_options(nats: NatsSettings) -> dict[str, Any]:
    """Return the arguments of `nats.connect` for authentication and TLS. The settings have checked the files."""
    options: dict[str, Any] = {}
    if nats.credentials:
        options["user_credentials"] = str(nats.credentials)
    if nats.nkey_seed:
        options["nkeys_seed_str"] = nats.nkey_seed.get_secret_value()
    if nats.user:
        options["user"] = nats.user
    if nats.password:
        options["password"] = nats.password.get_secret_value()
    if nats.token:
        options["token"] = nats.token.get_secret_value()
    if nats.tls_ca or nats.tls_cert or any(server.startswith("tls://") for server in nats.servers):
        options["tls"] = _tls(nats)
    return options


def _tls(nats: NatsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(nats.tls_ca) if nats.tls_ca else None)
    if nats.tls_cert:
        context.load_cert_chain(str(nats.tls_cert), str(nats.tls_key) if nats.tls_key else None)
    return context
