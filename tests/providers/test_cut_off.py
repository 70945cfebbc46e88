# SPDX-License-Identifier: MIT
"""Calls that are cut off, by their deadline or by the server, leave no socket behind: on both event loops, counted.

The servers go silent and never hang up. A connection that waits for them to take leave of TLS waits for 30 seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import pytest
import uvloop
import yaml
from nats.errors import NoServersError
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from app.bus.nats.client import ReconnectingClient
from app.domain.errors import InvalidToken, ProviderUnavailable, SearchFailed, VerificationMailFailed
from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings.authelia import AutheliaSettings, EmailSettings
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.client import Http
from providers.auth0.tenant.limiter import Lane
from providers.authelia.callers import Userinfo
from providers.authelia.cluster.api import Api
from providers.authelia.cluster.kubernetes import Cluster, KubernetesUnavailable
from providers.authelia.codes.mailer import Mailer
from providers.http import open_client
from tests.stand_ins.certificates import Authority
from tests.stand_ins.stalling import (
    HTTP_ENDLESS,
    HTTP_HALF,
    HTTP_WHOLE,
    Line,
    Stalling,
    refusing,
    sockets_to,
    stalling,
    unanswered,
)
from tests.support.waiting import time_left, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

CALLS = 4
ATTEMPT = 0.4
MEBIBYTE = 1024 * 1024
GONE_WITHIN = 12.0
"""Seconds; what a fault leaves stays for 30."""

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop_factory(request):
    return LOOPS[request.param]


@pytest.fixture
def authority(tmp_path, monkeypatch) -> Authority:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def tls(authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.leaf())
    return context


def _upstream() -> UpstreamTelemetry:
    return UpstreamTelemetry(CollectorRegistry())


@contextlib.asynccontextmanager
async def auth0(port: int, _: Authority) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    call = Call(kind=Kind("get_user", Lane.READ), method="GET", path="/", fallback=SearchFailed)
    async with open_client(8) as client:
        http = Http(client, f"localhost:{port}")

        async def ask() -> None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(ATTEMPT):
                    await http.send(call, "")

        yield ask


@contextlib.asynccontextmanager
async def userinfo(port: int, _: Authority) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    async with open_client(8) as client:
        endpoint = Userinfo(client, f"https://localhost:{port}/api/oidc/userinfo", _upstream())

        async def ask() -> None:
            time_left(0.5 + ATTEMPT)
            with contextlib.suppress(ProviderUnavailable, InvalidToken):
                await endpoint.of("authelia_at_ada")

        yield ask


@contextlib.asynccontextmanager
async def kubernetes(port: int, authority: Authority) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    config = authority.file.with_name("kubeconfig")
    cluster = {"server": f"https://localhost:{port}", "certificate-authority": str(authority.file)}
    config.write_text(
        yaml.safe_dump(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )

    def api(namespace: str) -> Api:
        return Api(kubeconfig=str(config), namespace=namespace)

    objects = Cluster(AutheliaSettings(userinfo_url="http://127.0.0.1/"), ATTEMPT, _upstream(), api)

    async def ask() -> None:
        with contextlib.suppress(KubernetesUnavailable):
            await objects.configmap()

    try:
        yield ask
    finally:
        await objects.close()


HTTP_CLIENTS = {"auth0": auth0, "userinfo": userinfo, "kubernetes": kubernetes}
PLACES = {"refused": refusing, "unanswered": unanswered}


def _talks(tls: ssl.SSLContext) -> dict[str, Callable[[Line], None]]:
    """What a server of HTTP does before it goes silent."""
    answered = []

    def handshake(_: Line) -> None:
        pass

    def answer(line: Line) -> None:
        line.secure(tls)
        line.hear()

    def body(line: Line) -> None:
        answer(line)
        line.say(HTTP_HALF)

    def kept(line: Line) -> None:
        answer(line)
        if not answered:
            answered.append(line)
            line.say(HTTP_WHOLE)
            line.hear()

    def cut(line: Line) -> None:
        body(line)
        line.socket.close()

    def flood(line: Line) -> None:
        answer(line)
        line.say(HTTP_ENDLESS)
        with contextlib.suppress(OSError):
            line.say(b" " * 4 * MEBIBYTE)
        line.socket.close()

    return {function.__name__: function for function in (handshake, answer, body, kept, cut, flood)}


async def _at_once(ask: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(ask() for _ in range(CALLS)))


async def _left(server: Stalling) -> int:
    """Return how many sockets to the server stay, however long one waits."""
    with contextlib.suppress(TimeoutError):
        await until(lambda: not sockets_to(server.port), GONE_WITHIN)
    left = len(sockets_to(server.port))
    server.close()  # whatever is left ends now, and not with the event loop, where uvloop would never come to an end
    await until(lambda: not sockets_to(server.port))
    return left


@pytest.mark.parametrize("silent_after", ["handshake", "answer", "body", "kept", "cut", "flood"])
@pytest.mark.parametrize("name", HTTP_CLIENTS)
def test_an_http_call_that_is_cut_off(loop_factory, name, silent_after, tls, authority):
    async def call(server: Stalling) -> int:
        async with HTTP_CLIENTS[name](server.port, authority) as ask:
            if silent_after == "kept":
                await ask()
                assert len(sockets_to(server.port)) == 1
                await ask()
            else:
                await _at_once(ask)
            return await _left(server)

    with stalling(_talks(tls)[silent_after]) as server, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(call(server)) == 0


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", HTTP_CLIENTS)
def test_an_http_call_that_never_connects(loop_factory, name, place, authority):
    async def call(port: int) -> None:
        before = sockets_to(port)  # those that fill the queue
        async with HTTP_CLIENTS[name](port, authority) as ask:
            await _at_once(ask)
            await until(lambda: sockets_to(port) <= before, GONE_WITHIN)

    with PLACES[place]() as port, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(call(port))


def _mail_talks(tls: ssl.SSLContext) -> dict[str, Callable[[Line], None]]:
    def greeting(_: Line) -> None:
        pass

    def hello(line: Line) -> None:
        line.say(b"220 mail.test\r\n")
        line.hear(b"\r\n")

    def handshake(line: Line) -> None:
        hello(line)
        line.say(b"250-mail.test\r\n250 STARTTLS\r\n")
        line.hear(b"\r\n")
        line.say(b"220 go\r\n")

    def secured(line: Line) -> None:
        handshake(line)
        line.secure(tls)

    return {function.__name__: function for function in (greeting, hello, handshake, secured)}


@pytest.mark.parametrize("silent_after", ["greeting", "hello", "handshake", "secured"])
def test_a_mail_that_is_cut_off(loop_factory, silent_after, tls):
    async def call(server: Stalling) -> int:
        settings = EmailSettings(host="localhost", port=server.port, username="u", password=SecretStr("p"))
        mailer = Mailer(settings, _upstream())

        async def ask() -> None:
            time_left(2.0)  # to look the host up, and to connect beside busy processes
            with pytest.raises(VerificationMailFailed):
                await mailer.send_code(Address("ada@example.org"), "123456")

        await _at_once(ask)
        await until(lambda: server.connections == CALLS)  # it takes connections on a thread of its own
        return await _left(server)

    with stalling(_mail_talks(tls)[silent_after]) as server, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(call(server)) == 0


INFO = b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576,"tls_required":true}\r\n'


def _nats_talks(tls: ssl.SSLContext) -> dict[str, Callable[[Line], None]]:
    def greeting(_: Line) -> None:
        pass

    def handshake(line: Line) -> None:
        line.say(INFO)

    def secured(line: Line) -> None:
        handshake(line)
        line.secure(tls)

    return {function.__name__: function for function in (greeting, handshake, secured)}


@pytest.mark.parametrize("silent_after", ["greeting", "handshake", "secured"])
def test_a_connection_to_nats_that_is_cut_off(loop_factory, silent_after, tls, authority):
    async def call(server: Stalling) -> int:
        async def ask() -> None:
            client = ReconnectingClient()
            with contextlib.suppress(NoServersError):
                await client.connect(
                    [f"tls://localhost:{server.port}"],
                    tls=ssl.create_default_context(cafile=str(authority.file)),
                    connect_timeout=ATTEMPT,
                    reconnect_time_wait=0.01,
                    max_reconnect_attempts=1,
                )
            await client.close()

        await _at_once(ask)
        await until(lambda: server.connections == 2 * CALLS)
        return await _left(server)

    with stalling(_nats_talks(tls)[silent_after]) as server, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(call(server)) == 0
