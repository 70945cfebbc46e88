# SPDX-License-Identifier: MIT
"""The one HTTP client: kept-alive TLS connections, bounded in number, time and what is read of an answer."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from providers.auth0.answers import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_ANSWER: Final = 2 * 1024 * 1024
"""Bytes of an answer that are read."""

CONNECT_TIMEOUT: Final = 2.5
"""Seconds for making a connection, less than an attempt has: so it is known that nothing was sent."""

PHASE_TIMEOUT: Final = 3.0
"""Seconds for sending, and for every wait for a part of the answer."""

KEEP_ALIVE: Final = 15.0
"""Seconds for which an idle connection is kept: less than a server keeps it, so that no write meets a closed one."""

PHASES: Final = httpx.Timeout(PHASE_TIMEOUT, connect=CONNECT_TIMEOUT).as_dict()
"""The time-outs as a request carries them."""

HEADER_ENCODING: Final = "latin-1"
"""Of header fields (RFC 9110, section 5.5). httpx finds one out anew at every look, unless it is told."""

_SPARE_CONNECTIONS: Final = 8
"""Connections beyond one a request: keys, tokens, and what ends a write after its request was answered."""


class _Bounded(httpx.AsyncByteStream):
    """A body of which at most `MAX_ANSWER` bytes are read."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise BrokenAnswer("too long")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class BoundedTransport(httpx.AsyncBaseTransport):
    """Bounds what is read of an answer, and takes none that is packed, since none was asked for."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        """Take what carries the requests."""
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request. Raises BrokenAnswer, besides what httpx raises."""
        response = await self._transport.handle_async_request(request)
        if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers.raw):
            await response.stream.aclose()  # type: ignore[union-attr]
            raise BrokenAnswer("packed")
        response.stream = _Bounded(response.stream)  # type: ignore[arg-type]
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class Client(httpx.AsyncClient):
    """Sends requests as they stand.

    httpx's own way from a request to its answer looks for cookies, redirects, authentication and hooks. None is
    wanted here, and looking for them was a quarter of the work.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        """Take what carries the requests."""
        super().__init__(transport=transport, follow_redirects=False, trust_env=False)
        self._carrier = transport

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401 - as httpx has it
        """Return the answer, read to its end. Raises BrokenAnswer, besides what httpx raises."""
        response = await self._carrier.handle_async_request(request)
        response.headers.encoding = HEADER_ENCODING
        try:
            await response.aread()
        except BaseException:  # also when it is cut off: half an answer must not stay in its connection
            await response.aclose()
            raise
        return response


@asynccontextmanager
async def open_client(requests_at_once: int) -> AsyncIterator[Client]:
    """Open the client; at the end of the context its connections are closed.

    Certificates are verified by the system's trust store, or `SSL_CERT_FILE`, which OpenSSL reads. No redirect is
    followed, since a token would go along; no cookie is kept, since it would join users.
    """
    context = ssl.create_default_context()
    connector = aiohttp.TCPConnector(
        limit=requests_at_once + _SPARE_CONNECTIONS, ssl=context, keepalive_timeout=KEEP_ALIVE
    )
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
    # aiohttp repeats DELETE by itself when a kept connection breaks; whether to repeat is decided in `retries`.
    session._retry_connection = False  # noqa: SLF001 - there is no public switch
    transport = BoundedTransport(AiohttpTransport(verify=context, client=session))
    async with Client(transport) as client:
        yield client


def never_connected(error: BaseException) -> bool:
    """Whether `error` says that no connection was made, so that nothing can have been sent.

    httpx's own `ConnectTimeout` does not: on aiohttp's transport it also stands for a connection that broke.
    """
    cause = error.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
