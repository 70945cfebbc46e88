# SPDX-License-Identifier: MIT
"""The tenant on a TLS socket, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from aiohttp import web

from tests.stand_ins.auth0 import effects
from tests.stand_ins.auth0.tenant import Tenant, operation_of
from tests.stand_ins.auth0.web import Call, Reply
from tests.stand_ins.certificates import Authority, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


_HOST = "127.0.0.1"
_PATIENCE = 10.0


class TenantServer:
    """Serves a tenant at `localhost:PORT`; the port stays the same whatever is done to it."""

    def __init__(self, tenant: Tenant, folder: Path, port: int = 0) -> None:
        self.tenant = tenant
        self.authority = Authority(folder)
        self.connections = 0
        """How many connections were accepted."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.authority.leaf())
        # Bound and never listening, this keeps the port ours while connections are refused.
        self._place = _bound(port)
        self.port = int(self._place.getsockname()[1])
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="auth0-tenant", daemon=True)
        self._web: web.Server | None = None
        self._listener: asyncio.AbstractServer | None = None
        tenant.serve_at(f"localhost:{self.port}", str(self.authority.file))

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._run(self._begin())

    def stop(self) -> None:
        """End the server and its thread."""
        self.tenant.faults.clear()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._place.close()

    def refuse_connections(self, *, refuse: bool = True) -> None:
        """Refuse connections and drop those that are open, or serve again."""
        self._run(self._silence() if refuse else self._listen())

    def drop_connections(self) -> None:
        """Cut every open connection."""
        self._run(self._drop())

    def use_certificate(self, kind: Kind) -> None:
        """Present that certificate from now on; open connections are dropped."""
        self._tls.load_cert_chain(self.authority.leaf(kind))
        self.drop_connections()

    def reset(self, *, fixtures: bool = True, bare: bool = False) -> None:
        """Make everything as it was at the start; see `Tenant.reset`."""
        self.tenant.reset(fixtures=fixtures, bare=bare)
        self._tls.load_cert_chain(self.authority.leaf())
        if self._listener is None:
            self.refuse_connections(refuse=False)
        self.drop_connections()
        self.connections = 0

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _begin(self) -> None:
        self._web = web.Server(self._handle, access_log=None, keepalive_timeout=75)
        await self._listen()

    async def _end(self) -> None:
        await self._silence()
        if self._web is not None:
            await self._web.shutdown(0)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await self._loop.create_server(
                self._accept, sock=_bound(self.port), ssl=self._tls, backlog=1024
            )

    def _accept(self) -> asyncio.BaseProtocol:
        self.connections += 1
        if self._web is None:
            raise RuntimeError("not started")
        return self._web()

    async def _silence(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._drop()

    async def _drop(self) -> None:
        for protocol in [] if self._web is None else list(self._web.connections):
            if protocol.transport is not None:
                protocol.transport.abort()
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        records = self.tenant.records
        records.in_flight += 1
        records.most_in_flight = max(records.most_in_flight, records.in_flight)
        try:
            body = await request.read() if request.can_read_body else b""
            # The request line as it came: aiohttp's own path is decoded and normalised already.
            call = Call.parse(request.method, request._message.path, request.headers, body)  # noqa: SLF001
            call.operation = operation_of(call)
            records.calls[call.operation] += 1
            if self.tenant.faults.latency:
                await asyncio.sleep(self.tenant.faults.latency)
            response = await self._reply(call, request)
            if not response.prepared:
                response.headers.setdefault("Date", formatdate(self.tenant.now(), usegmt=True))
            return response
        finally:
            records.in_flight -= 1

    async def _reply(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        faults = self.tenant.faults
        fault = faults.strike(call)
        if fault is None:
            reply = self.tenant.answer(call)
            self.tenant.records.note(call, reply.status, reply.body)
            if call.operation == "events" and reply.status == HTTPStatus.OK:
                return await self.tenant.events.stream(call, request)
            return effects.response(reply)
        needs_reply = fault.acts or fault.kind in {"cut", "hang_body", "wrong_types", "delay"}
        reply = self.tenant.answer(call) if needs_reply else Reply(500)
        whole = fault.kind in {"wrong_types", "delay"}
        if fault.kind == "reply":
            self.tenant.records.note(call, fault.status, fault.body.encode())
        else:
            self.tenant.records.note(call, reply.status if whole else 0, reply.body)
        return await effects.carry_out(fault, request, reply, lambda one: any(one is other for other in faults.active))


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    return bound


@contextlib.contextmanager
def auth0_tenant(*, port: int = 0, now: Callable[[], float] | None = None) -> Iterator[TenantServer]:
    """Serve a tenant with the fixture users as long as the context lasts; `now` is its clock."""
    with tempfile.TemporaryDirectory(prefix="auth0-tenant-") as folder:
        server = TenantServer(Tenant(now) if now else Tenant(), Path(folder), port)
        server.start()
        try:
            yield server
        finally:
            server.stop()
