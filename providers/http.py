# SPDX-License-Identifier: MIT
"""The HTTP client of the providers: kept-alive connections, bounded in number, time and what is read of an answer."""

from __future__ import annotations

import ssl
import warnings
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.connector import Connection

MAX_ANSWER: Final = 2 * 1024 * 1024
"""Bytes of an answer that are read, unless another bound is given."""

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

_LEAVE: Final = 0.25
"""Seconds in which a server must take leave of TLS, when a connection is closed in the ordinary way."""

_SPARE_CONNECTIONS: Final = 8
"""Connections beyond one a request: keys, tokens, and what ends a write after its request was answered."""


class BrokenAnswer(Exception):
    """What came is not what was to come: cut off, packed, no JSON, of a wrong shape. Holds none of it."""


class TooMuch(BrokenAnswer):
    """It is longer than anybody needs, or holds more; so it will the next time."""


_FORESEEN: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, BrokenAnswer)
"""What sending and reading raises besides what aiohttp calls an error; a `TimeoutError` is an `OSError`."""


class Bounded(httpx.AsyncByteStream):
    """A body of which at most `most` bytes are read."""

    def __init__(self, stream: httpx.AsyncByteStream, most: int, *, whole: bool = True) -> None:
        """Take the body, how many bytes of it are read, and whether more is an error, or left."""
        self._stream = stream
        self._most = most
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts as they come. Raises TooMuch."""
        left = self._most
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0 and self._whole:
                raise TooMuch("too long")
            yield chunk[: left + len(chunk)]
            if left < 0:
                return

    async def aclose(self) -> None:
        """Close what it is read from."""
        await self._stream.aclose()


class BoundedTransport(httpx.AsyncBaseTransport):
    """Bounds what is read of an answer, and takes none that is packed, since none was asked for."""

    def __init__(self, transport: httpx.AsyncBaseTransport, most: int = MAX_ANSWER) -> None:
        """Take what carries the requests, and how many bytes of an answer are read."""
        self._transport = transport
        self._most = most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request. Raises BrokenAnswer, besides what httpx raises."""
        response = await self._transport.handle_async_request(request)
        if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers.raw):
            await response.stream.aclose()  # type: ignore[union-attr]
            raise BrokenAnswer("packed")
        # Of a failure its status and headers say enough.
        response.stream = Bounded(response.stream, self._most, whole=response.is_success)  # type: ignore[arg-type]
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class Client(httpx.AsyncClient):
    """Sends requests as they stand.

    httpx's own way from a request to its answer looks for cookies, redirects, authentication and hooks. None is
    wanted here, and looking for them was a quarter of the work.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, address: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Take what carries the requests; the address to which others are relative, and what goes with each request.

        The latter two count for requests that the client makes, and not for those that it is given.
        """
        super().__init__(
            transport=transport,
            base_url=address,
            headers={**(headers or {}), "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(PHASE_TIMEOUT, connect=CONNECT_TIMEOUT),
            follow_redirects=False,
            trust_env=False,
        )
        self._carrier = transport

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401 - as httpx has it
        """Return the answer, read to its end.

        Raises BrokenAnswer, OSError, TimeoutError and what httpx raises. Whatever else the libraries raise while they
        read is the server's fault too: it is logged, and BrokenAnswer.
        """
        try:
            return await self._read(request)
        except _FORESEEN:
            raise
        except aiohttp.ClientError as error:
            raise BrokenAnswer(type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - that is the point
            # Without its text, which may repeat what was read.
            logger.opt(exception=(BrokenAnswer, BrokenAnswer(type(error).__name__), error.__traceback__)).error(
                "an answer could not be read, in a way that nobody foresaw"
            )
            raise BrokenAnswer("unreadable") from None

    async def _read(self, request: httpx.Request) -> httpx.Response:
        response = await self._carrier.handle_async_request(request)
        response.headers.encoding = HEADER_ENCODING
        try:
            await response.aread()
        except BaseException:  # also when it is cut off: half an answer must not stay in its connection
            await response.aclose()
            raise
        return response


def library_client(
    transport: httpx.AsyncBaseTransport,
    timeout: httpx.Timeout,
    accept: str = "*/*",
    hooks: Mapping[str, list[Any]] | None = None,
) -> httpx.AsyncClient:
    """Return a client for a library that sends by itself.

    Like `Client` it follows no redirect, keeps no cookie, and asks for nothing packed. `hooks` are httpx's event
    hooks; `accept` is the media type that is asked for.
    """
    client = httpx.AsyncClient(
        transport=transport,
        timeout=timeout,
        headers={"Accept": accept, "Accept-Encoding": "identity"},
        event_hooks=hooks,
        follow_redirects=False,
        trust_env=False,
    )
    # httpx has a jar of its own, beside that of the transport.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return client


class _Response(aiohttp.ClientResponse):
    """An answer whose connection, unless it can be kept, is gone at once.

    aiohttp takes leave of a TLS connection that it closes, and waits for the server to do so too (RFC 8446, section
    6.1). One that does not answer any more would hold a socket for each call that was cut off; and asyncio never
    closes one that hung up while more had come than is read.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head of the answer."""
        try:
            started = await super().start(connection)
        except BaseException:  # also when it is cut off
            _abort(connection)
            raise
        # Nobody looks at the reason, and httpx-aiohttp fails at one that is no UTF-8, the connection in its hands.
        self.reason = None
        return started

    def close(self) -> None:
        """Close the connection."""
        _abort(self.connection)
        super().close()

    def release(self) -> Any:  # noqa: ANN401 - as aiohttp has it
        """Let the connection be kept where it can be."""
        connection = self.connection
        if connection is not None and connection.protocol is not None and connection.protocol.should_close:
            _abort(connection)
        return super().release()


def _abort(connection: Connection | None) -> None:
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def make_transport(
    connections: int, most: int = MAX_ANSWER, tls: ssl.SSLContext | None = None, proxy: str | None = None
) -> httpx.AsyncBaseTransport:
    """Return what carries the requests of a client, which closes it.

    There are at most so many `connections`, and of an answer at most `most` bytes are read. Certificates are verified
    by the system's trust store, or `SSL_CERT_FILE`, which OpenSSL reads, unless `tls` says otherwise. No redirect is
    followed, since a token would go along; no cookie is kept, since it would join users; proxy variables are not
    honoured. For an event loop that runs.
    """
    context = tls or ssl.create_default_context()
    session = aiohttp.ClientSession(
        connector=_connector(connections, context),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        response_class=_Response,
    )
    # aiohttp repeats DELETE by itself when a kept connection breaks; whether to repeat is decided by the providers.
    session._retry_connection = False  # noqa: SLF001 - there is no public switch
    carrier = AiohttpTransport(verify=context, client=session, proxy=None if proxy is None else httpx.Proxy(proxy))
    return BoundedTransport(carrier, most)


def _connector(connections: int, context: ssl.SSLContext) -> aiohttp.TCPConnector:
    with warnings.catch_warnings():
        # aiohttp will not take the last option any more from its release 4 on; nothing else bounds how a connection
        # is closed whose attempt is cut off in the moment in which it succeeds.
        warnings.simplefilter("ignore", DeprecationWarning)
        return aiohttp.TCPConnector(
            limit=connections, ssl=context, keepalive_timeout=KEEP_ALIVE, ssl_shutdown_timeout=_LEAVE
        )


@asynccontextmanager
async def open_client(requests_at_once: int, most: int = MAX_ANSWER) -> AsyncIterator[Client]:
    """Open the client; at the end of the context its connections are closed."""
    async with Client(make_transport(requests_at_once + _SPARE_CONNECTIONS, most)) as client:
        yield client


def never_connected(error: BaseException) -> bool:
    """Whether `error` says that no connection was made, so that nothing can have been sent.

    httpx's own `ConnectTimeout` does not: on aiohttp's transport it also stands for a connection that broke.
    """
    cause = error.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
