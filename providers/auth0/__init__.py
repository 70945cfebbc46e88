# SPDX-License-Identifier: MIT
"""The Auth0 provider: a tenant's users, spoken to over its Management and Authentication APIs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.aliases import AliasPolicy
from app.domain.errors import ImpersonationUnavailable, PasswordServiceUnavailable
from app.domain.ports import Absent, Provider
from app.domain.reads import UNHEARD
from providers.auth0.accounts import Auth0Accounts
from providers.auth0.aliases import Auth0Aliases
from providers.auth0.directory import Auth0Directory
from providers.auth0.events.memory import Remembers
from providers.auth0.examination import EVENTS_SCOPE, SCOPES, examine
from providers.auth0.identities import Auth0Identities
from providers.auth0.impersonation import Auth0Impersonation
from providers.auth0.management import Management
from providers.auth0.mapping import UserReader
from providers.auth0.odd_fields import Oddities
from providers.auth0.passwords import Auth0Passwords, Auth0ResetLinks
from providers.auth0.profiles import Auth0Profiles
from providers.auth0.sign_in import ProfileClient
from providers.auth0.stubs import Stubs
from providers.auth0.tenant.budget import Budget
from providers.auth0.tenant.client import Http, Line, TenantClient
from providers.auth0.tenant.limiter import Lane, Limiter
from providers.auth0.tenant.retries import Retries
from providers.auth0.tokens.credentials import Assertions, Credentials
from providers.auth0.tokens.keys import Keys
from providers.auth0.tokens.verifier import Tokens
from providers.auth0.verification import Auth0Verification
from providers.http import open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx
    from nats.aio.client import Client

    from app.domain.findings import Finding
    from app.domain.ports import Upstream
    from app.domain.reads import Changes
    from app.settings import Settings
    from app.settings.auth0 import Auth0Settings
    from providers.auth0.events.following import Following

Clock = Callable[[], float]
_MISSING = "not had yet"


@asynccontextmanager
async def auth0_provider(  # noqa: PLR0913 - two of them are for tests that rule the time
    settings: Settings,
    upstream: Upstream,
    now: Clock = time.time,
    monotonic: Clock = time.monotonic,
    *,
    changes: Changes = UNHEARD,
    nats: Client | None = None,
) -> AsyncIterator[Provider]:
    """Open the provider; keys and token are fetched in the background, so that a tenant out of reach stops nothing.

    `upstream` takes note of the calls, `now` is the clock (Unix seconds), `monotonic` one that never jumps (seconds).
    `changes` is told of what is changed. With `nats`, the connection that replicas share, the tenant's events are
    followed where the settings say so.
    """
    async with open_client(settings.work.max_concurrent_requests) as client:
        parts = _Parts(settings, client, upstream, (now, monotonic), changes)
        async with (
            parts.keys.kept(),
            parts.credentials.kept(),
            _following(settings, parts, changes, nats) as followed,
        ):
            provider = parts.provider(settings)
            if followed is not None:
                provider = _with_events(provider, followed)
            yield provider


@asynccontextmanager
async def _following(
    settings: Settings, parts: _Parts, changes: Changes, nats: Client | None
) -> AsyncIterator[Following | None]:
    """Follow the tenant's events while the context lasts, where they are wanted."""
    if not settings.auth0.events or nats is None or not isinstance(changes, Remembers):
        yield None
        return
    from providers.auth0.events.following import following  # noqa: PLC0415 - only who follows loads auth0-python
    from providers.auth0.events.lease import Lease  # noqa: PLC0415 - as above

    lease, lasts = Lease(nats, settings.auth0.events_replicas), settings.reads.fresh_for_with_events
    async with following(changes, lease, parts.origin, parts.credentials, lasts) as followed:
        yield followed


def _with_events(provider: Provider, followed: Following) -> Provider:
    """Return a provider that shows how the stream of events is, and leaves it when it ends."""
    standing = followed.standing

    def readiness() -> Mapping[str, str]:
        return {**provider.readiness(), "tenant's events?": standing.fault()}

    return replace(provider, measurements=standing.measurements, leave=followed.leave, readiness=readiness)


async def examine_auth0(settings: Settings, upstream: Upstream) -> list[Finding]:
    """Tell whether the tenant gives what the service needs. Nothing is changed there."""
    async with open_client(settings.work.max_concurrent_requests) as client:
        parts = _Parts(settings, client, upstream, (time.time, time.monotonic), UNHEARD)
        scopes = (*SCOPES, EVENTS_SCOPE) if settings.auth0.events else SCOPES
        return await examine(parts.keys, parts.credentials, parts.budget, scopes)


class _Parts:
    """What the capabilities share."""

    def __init__(
        self,
        settings: Settings,
        client: httpx.AsyncClient,
        upstream: Upstream,
        clocks: tuple[Clock, Clock],
        changes: Changes,
    ) -> None:
        now, monotonic = clocks
        auth0 = settings.auth0
        http = Http(client, auth0.host, upstream.headers)
        self.budget = Budget(settings.work.request_timeout)
        self.limiter = Limiter()
        line = Line(http, Retries(self.budget, self.limiter, upstream, now), self.budget, upstream)
        self.origin = http.origin
        issuer = f"{http.origin}/"
        self.assertions = Assertions(auth0.m2m_client_id, auth0.private_key(), issuer, now)
        self.credentials = Credentials(line, self.assertions, _grant(auth0), now)
        self.keys = Keys(line, monotonic)
        audience = auth0.management_audience or f"{http.origin}/api/v2/"
        self.tokens = Tokens(self.keys, issuer, audience, now, also_read=auth0.lfx_v2_api_audience)
        self.tenant = TenantClient(line, self.credentials, changes)
        self.reader = UserReader(Oddities(upstream))
        self.now = now

    def readiness(self) -> Mapping[str, str]:
        return dict((_standing("auth0 keys", self.keys), _standing("auth0 token", self.credentials)))

    def limited(self) -> bool:
        return self.limiter.opens(Lane.READ) > asyncio.get_running_loop().time()

    def provider(self, settings: Settings) -> Provider:
        auth0 = settings.auth0
        management = Management(self.tenant, self.reader)
        stubs = Stubs(management, self.budget)
        client = ProfileClient(auth0.profile_client_id, auth0.profile_client_secret)
        policy = AliasPolicy(frozenset(settings.aliases.allowed_domains))
        return Provider(
            name="auth0",
            callers=self.tokens,
            directory=Auth0Directory(management, self.tokens),
            profiles=Auth0Profiles(management),
            accounts=Auth0Accounts(management, stubs),
            verification=Auth0Verification(self.tenant, client),
            identities=Auth0Identities(management, policy),
            aliases=Auth0Aliases(stubs, self.now),
            passwords=Auth0Passwords(self.tenant, management, client),
            reset_links=self._reset_links(auth0),
            impersonation=self._impersonation(auth0),
            readiness=self.readiness,
            secret=auth0.private_key_pem().get_secret_value,
            limited=self.limited,
            changed=self.tenant.changed,
        )

    def _reset_links(self, auth0: Auth0Settings) -> Auth0ResetLinks | Absent:
        if not auth0.lfx_one_client_id:
            return Absent(PasswordServiceUnavailable)
        return Auth0ResetLinks(self.tenant, auth0.lfx_one_client_id)

    def _impersonation(self, auth0: Auth0Settings) -> Auth0Impersonation | Absent:
        if not auth0.lfx_v2_api_audience:
            return Absent(ImpersonationUnavailable)
        return Auth0Impersonation(
            self.tenant,
            self.tokens,
            self.assertions,
            (auth0.lfx_v2_api_audience, *auth0.impersonation_audiences),
            require_claim=auth0.impersonation_require_claim,
        )


def _standing(name: str, part: Keys | Credentials) -> tuple[str, str]:
    """Return a part of the readiness: what was had once is enough to serve, so that a later fault decides nothing."""
    if part.had_one:
        return f"{name}?", part.fault
    return name, f"{_MISSING}: {part.fault}" if part.fault else _MISSING


def _grant(auth0: Auth0Settings) -> dict[str, str]:
    """Return the fields of the service's own grant."""
    organization = {"organization": auth0.organization} if auth0.organization else {}
    return {"grant_type": "client_credentials", "audience": auth0.audience, **organization}
