# SPDX-License-Identifier: MIT
"""Auth0's world: the stand-in tenant with the people of the cases in it, and the provider on it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings import NatsSettings, ProviderSettings, Settings
from app.settings.auth0 import Auth0Settings
from providers.auth0 import auth0_provider
from tests.stand_ins.auth0 import Tenant, TenantServer
from tests.support.basics import ALIASES, DEFAULTS, Clock
from tests.support.people import EVERYBODY, Person
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from app.domain.ports import Provider


class Auth0World:
    """The Auth0 provider, on a tenant of its own."""

    name = "auth0"
    absent = ()
    expired_error = "token has expired"

    def __init__(self, folder: Path, clock: Callable[[], float] | None = None, *, bare: bool = False) -> None:
        self.clock = clock or Clock()
        self.tenant = Tenant(self.clock)
        self.tenant.reset(fixtures=False, bare=bare)
        self._server = TenantServer(self.tenant, folder)
        self.begin()

    def begin(self) -> None:
        """Let everybody be as at the start."""
        self.tenant.faults.clear()
        self.tenant.records.clear()
        self.tenant.password_policy.shortest = 1
        for account in list(self.tenant.accounts.by_id.values()):
            self.tenant.accounts.remove(account)
        for person in EVERYBODY:
            self._add(person)

    def settings(self, url: str) -> Settings:
        with patch.dict(os.environ, self.tenant.environment()):
            tenant = ProviderSettings(), Auth0Settings()
        return Settings(*DEFAULTS, NatsSettings(servers=(url,)), ALIASES, *tenant)

    @asynccontextmanager
    async def provider(self, settings: Settings) -> AsyncIterator[Provider]:
        self._server.start()
        upstream = UpstreamTelemetry(CollectorRegistry())
        try:
            with patch.dict(os.environ, SSL_CERT_FILE=self.tenant.ca_file):
                opening = auth0_provider(settings, upstream, self.clock)
                provider = await opening.__aenter__()
            try:
                await until(lambda: not any(provider.readiness().values()))
                yield provider
            finally:
                await opening.__aexit__(None, None, None)
        finally:
            self._server.stop()

    def start(self) -> None:
        """Let the tenant be reached, by a service that is a process of its own."""
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def token(self, person: Person) -> str:
        return self.tenant.access_token(person.subject)

    def jwt(self, person: Person) -> str:
        return self.token(person)

    def expired(self, person: Person) -> str:
        return self.tenant.access_token(person.subject, lifetime=-60)

    def identity_token(self, subject: object, **claims: object) -> str:
        return self.tenant.id_token(subject, **claims)

    def code_sent_to(self, address: str) -> str:
        return self.tenant.records.code_for(address.strip().lower())

    def _add(self, person: Person) -> None:
        social = [
            {
                "provider": one.provider,
                "user_id": one.identity_id,
                "email": one.email,
                "email_verified": one.email_verified or None,
                "nickname": one.nickname,
                "name": one.name,
            }
            for one in person.social
        ]
        self.tenant.add_user(
            person.subject,
            username=person.username,
            email=person.primary_email,
            metadata=person.metadata,
            password=person.password,
            social=social,
            alternates=[(alternate.email, alternate.verified) for alternate in person.alternates],
        )
