# SPDX-License-Identifier: MIT
"""The HTTP side: health, metrics and documentation. GET and HEAD only."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Final

import uvicorn
from loguru import logger
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from app.settings import HttpSettings

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PATIENCE: Final = 10.0
"""Seconds in which a connection must have got its first response, or its next: to ask, and to read it."""


def create_app(
    readiness: Callable[[], Mapping[str, str]],
    metrics: Callable[[], bytes],
    documents: Mapping[str, Callable[[], tuple[str, bytes, Mapping[str, str]]]],
) -> ASGIApp:
    """Return the ASGI application.

    `readiness` names every part of the service and what is wrong with it, the empty string when nothing is; a part
    whose name ends in `?` is shown and decides nothing. `documents` maps paths to media type, body and headers.
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("OK", headers=_HEADERS)

    async def readyz(request: Request) -> Response:
        parts = readiness()
        failing = _failing(parts)
        lines = [f"{name.rstrip('?')}: {fault or 'ok'}" for name, fault in parts.items()]
        if "verbose" in request.query_params:
            text = "\n".join(lines)
        else:
            text = "\n".join(f"{name}: {fault}" for name, fault in failing.items()) or "OK"
        return PlainTextResponse(text, status_code=503 if failing else 200, headers=_HEADERS)

    async def exposition(_: Request) -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8", headers=_HEADERS)

    def document(make: Callable[[], tuple[str, bytes, Mapping[str, str]]]) -> Callable[[Request], Awaitable[Response]]:
        async def serve(_: Request) -> Response:
            media_type, body, headers = make()
            return Response(body, media_type=media_type, headers={**_HEADERS, **headers})

        return serve

    routes = [
        Route("/livez", livez, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", exposition, methods=["GET"]),
        *(Route(path, document(make), methods=["GET"]) for path, make in documents.items()),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    return app


def is_ready(parts: Mapping[str, str]) -> bool:
    """Return whether `parts` of the service, as `create_app` takes them, let it serve."""
    return not _failing(parts)


def _failing(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: fault for name, fault in parts.items() if fault and not name.endswith("?")}


async def _refused(_: Request, error: Exception) -> Response:
    """Answer what is not there (404) and what is not GET or HEAD (405, with `Allow`)."""
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(error.detail, status_code=error.status_code, headers={**_HEADERS, **(error.headers or {})})


class _Protocol(H11Protocol):
    """HTTP/1.1 that waits for nobody for long: 256 clients that dawdle would shut out the probes."""

    patience = _PATIENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._limit = self.loop.call_later(self.patience, transport.abort)

    def on_response_complete(self) -> None:
        self._limit.cancel()
        self._limit = self.loop.call_later(self.patience, self.transport.abort)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """A server that leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(settings: HttpSettings) -> socket.socket:
    """Return a bound socket; `*` means all addresses, IPv6 included where there is any. Raises OSError."""
    if settings.bind != "*":
        family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
        try:
            return socket.create_server((settings.bind, settings.port), family=family)
        except UnicodeError:
            raise OSError(errno.EINVAL, "no host name") from None
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("", settings.port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", settings.port))


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, settings: HttpSettings, patience: float = _PATIENCE) -> AsyncIterator[int]:
    """Serve `app` while the context lasts; give the port. Raises OSError when the address is taken.

    A connection that gets no response for `patience` seconds is closed.
    """
    listener = bind(settings)
    port: int = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        http=type("Protocol", (_Protocol,), {"patience": patience}),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        limit_concurrency=256,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        if task.done():
            raise RuntimeError("the HTTP side did not start") from task.exception()
        logger.debug("HTTP side is up", port=port)
        yield port
    finally:
        # Who still asks at this moment is not waited for: the process must be gone in time.
        server.should_exit = server.force_exit = True
        with contextlib.suppress(Exception):
            await task
        listener.close()
