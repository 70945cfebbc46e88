# SPDX-License-Identifier: MIT
"""One tenant on a TLS socket for the session, as new for each test, and the provider on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from app.domain.deadline import Deadline, set_deadline
from app.domain.ports import Provider
from app.observability.upstream_metrics import Attempt
from app.settings import Settings
from providers.auth0 import auth0_provider
from providers.auth0.tenant import budget
from tests.stand_ins.auth0 import Tenant, TenantServer, auth0_tenant
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from app.cli.dev.nats_server import NatsServer


@dataclass
class Counts:
    """What the provider tells of its calls."""

    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    shared: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[tuple[str, str]] = field(default_factory=Counter)
    odd_fields: Counter[str] = field(default_factory=Counter)

    @contextlib.contextmanager
    def attempt(self, operation: str) -> Iterator[Attempt]:
        attempt = Attempt()
        yield attempt
        self.attempts[operation, str(attempt.outcome)] += 1

    def headers(self) -> dict[str, str]:
        return {}

    def retried(self, operation: str) -> None:
        self.retries[operation] += 1

    def coalesced(self, operation: str) -> None:
        self.shared[operation] += 1

    def refreshed(self, what: str, outcome: str) -> None:
        self.refreshes[what, outcome] += 1

    def odd(self, field: str) -> None:
        self.odd_fields[field] += 1


@pytest.fixture(scope="session")
def tenant_server() -> Iterator[TenantServer]:
    with auth0_tenant() as server:
        yield server


@pytest.fixture
def server(tenant_server: TenantServer) -> Iterator[TenantServer]:
    tenant_server.reset()
    yield tenant_server
    tenant_server.reset()


@pytest.fixture
def tenant(server: TenantServer) -> Tenant:
    return server.tenant


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def environment(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in tenant.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALLOWED_ALIAS_DOMAINS", "linux.com")
    monkeypatch.setenv("REQUEST_TIMEOUT", "2s")
    return monkeypatch


@pytest.fixture
def on_nats(environment: pytest.MonkeyPatch, nats: NatsServer) -> pytest.MonkeyPatch:
    """What the whole service needs besides; a request has more time than any machine takes."""
    given = {"NATS_URL": nats.url, "PORT": "0", "BIND": "127.0.0.1", "REQUEST_TIMEOUT": "60s", "READ_PATIENCE": "60s"}
    for name, value in given.items():
        environment.setenv(name, value)
    return environment


@pytest.fixture
def has_time(environment: pytest.MonkeyPatch) -> None:
    """Give a request more time than any machine takes. It stands before the provider among what a test asks for."""
    environment.setenv("REQUEST_TIMEOUT", "60s")


@pytest.fixture
def time_ends(environment: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> float:
    """Let a request's time end soon; return its seconds.

    Half a second, not a tenth, is kept for the reply: what a busy machine may take.
    """
    if "on_nats" in request.fixturenames:
        request.getfixturevalue("on_nats")  # which sets a time too
    environment.setattr(budget, "_RESERVE", 0.5)
    environment.setenv("REQUEST_TIMEOUT", "4s")
    return 4.0


@dataclass
class Later:
    """A clock that stands, and can be put forward: what happens once in 30 s does so on a busy machine too."""

    by: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return self._begun + self.by


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def opened(
    environment: pytest.MonkeyPatch,  # noqa: ARG001 - what the settings are read from
    counts: Counts,
    later: Later,
) -> Callable[[], contextlib.AbstractAsyncContextManager]:
    """Opens a provider with the environment as it is by then; waits for nothing."""
    return lambda: auth0_provider(Settings(), counts, monotonic=later)


@pytest.fixture
async def provider(opened: Callable[[], contextlib.AbstractAsyncContextManager]) -> AsyncIterator[Provider]:
    """The provider, ready."""
    async with opened() as provider:
        await ready(provider)
        yield provider


async def ready(provider: Provider) -> None:
    await until(lambda: not any(provider.readiness().values()))


def within(seconds: float) -> Deadline:
    """Give what is done next in this test the deadline of a request."""
    deadline = Deadline(asyncio.get_running_loop().time() + seconds)
    set_deadline(deadline)
    return deadline
