# SPDX-License-Identifier: MIT
"""The connection to NATS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from app.settings.checks import (
    check_ca,
    check_certificate,
    check_credentials,
    check_key,
    check_prefix,
    check_queue,
    check_seed,
    check_servers,
)
from app.settings.types import File, Seconds, SecondsOrNone, Section, Words


class NatsSettings(Section):
    """The connection to NATS."""

    servers: Annotated[Words, AfterValidator(check_servers)] = Field(
        ("nats://localhost:4222",),
        validation_alias="NATS_URL",
        description="Addresses of NATS servers, comma-separated.",
        min_length=1,
    )
    timeout: Seconds = Field(
        10.0,
        validation_alias="NATS_TIMEOUT",
        description="Timeout of connecting, and of the service's own calls over NATS.",
    )
    max_reconnect: int = Field(
        3, validation_alias="NATS_MAX_RECONNECT", ge=-1, description="Attempts per server; `-1`: no limit, `0`: none."
    )
    reconnect_wait: SecondsOrNone = Field(
        2.0, validation_alias="NATS_RECONNECT_WAIT", description="Pause between attempts; at least 10 ms are kept."
    )
    credentials: Annotated[File, AfterValidator(check_credentials)] | None = Field(
        None, validation_alias="NATS_CREDENTIALS", description="File with JWT and seed (`.creds`)."
    )
    nkey_seed: Annotated[SecretStr, AfterValidator(check_seed)] | None = Field(
        None, validation_alias="NATS_NKEY_SEED", description="NKey seed."
    )
    user: str | None = Field(None, validation_alias="NATS_USER", description="User name.")
    password: SecretStr | None = Field(None, validation_alias="NATS_PASSWORD", description="Password of this user.")
    token: SecretStr | None = Field(None, validation_alias="NATS_TOKEN", description="Authentication token.")
    tls_ca: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None, validation_alias="NATS_TLS_CA", description="File with the trusted certificates."
    )
    tls_cert: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None, validation_alias="NATS_TLS_CERT", description="File with the client certificate."
    )
    tls_key: Annotated[File, AfterValidator(check_key)] | None = Field(
        None, validation_alias="NATS_TLS_KEY", description="File with the client certificate's key."
    )
    subject_prefix: Annotated[str, AfterValidator(check_prefix)] = Field(
        "lfx.auth-service.",
        validation_alias="SUBJECT_PREFIX",
        description="How the service's subjects begin; the last dot is optional. Change it to run beside another.",
    )
    queue_group: Annotated[str, AfterValidator(check_queue)] = Field(
        "lfx.auth-service.queue",
        validation_alias="QUEUE_GROUP",
        description="The queue group in which replicas share the requests. Change it together with the prefix.",
    )

    def faults(self, bad: frozenset[str]) -> Iterable[str]:
        """Tell which of them are of no use as they stand together."""
        if (self.user is None) != (self.password is None) and bad.isdisjoint({"NATS_USER", "NATS_PASSWORD"}):
            yield "NATS_USER, NATS_PASSWORD: one is of no use without the other"
        has_certificate = self.tls_cert is not None or "NATS_TLS_CERT" in bad
        if (self.tls_key is not None or "NATS_TLS_KEY" in bad) and not has_certificate:
            yield "NATS_TLS_KEY, NATS_TLS_CERT: a key is of no use without its certificate"
        if self.tls_cert is not None and "NATS_TLS_KEY" not in bad:
            yield from check_certificate(self.tls_cert, self.tls_key)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values, and those in the addresses, as they stand there and as they are meant."""
        users = (urlsplit(server if "://" in server else f"nats://{server}") for server in self.servers)
        secrets = (url.password or url.username or "" for url in users)
        in_addresses = (form for secret in secrets if secret for form in sorted({secret, unquote(secret)}))
        return (*super().secrets, *in_addresses)
