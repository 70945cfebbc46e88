# SPDX-License-Identifier: MIT
"""nats-py's client, changed where its behaviour differs from what operators are told.

What of its inner life is overridden here is pinned by `tests/bus/test_nats_client.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import ParseResult, unquote, urlsplit

from nats.aio.client import DEFAULT_BUFFER_SIZE, DEFAULT_FLUSH_TIMEOUT, Client, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import (
    ConnectionReconnectingError,
    Error,
    MaxPayloadError,
    NoServersError,
    ProtocolError,
    SecureConnRequiredError,
)

from app.bus.nats.parser import TolerantParser
from app.bus.nats.refusals import TOO_MANY
from app.bus.nats.transport import BoundedTransport, is_size

if TYPE_CHECKING:
    from collections.abc import Coroutine

_LEAST_WAIT: Final = 0.01
MAX_HEADERS: Final = 64 * 1024
"""Bytes of a message's headers that are read: a megabyte of them took 400 ms. A trace context has 16 KiB at most."""

INBOX_PREFIX: Final = "_INBOX.lfx-auth-service"
"""Where answers to the service's own questions come: below `_INBOX.`, which is allowed where nothing special is, and
yet a place to which nobody else need be allowed to subscribe."""


class _Address(ParseResult):
    """An address of a server, whose user, password or token may be percent-encoded (RFC 3986, section 2.1)."""

    __slots__ = ()

    @property
    def username(self) -> str | None:
        """The user, or the token, as it is meant."""
        name = super().username
        return None if name is None else unquote(name)

    @property
    def password(self) -> str | None:
        """The password as it is meant."""
        secret = super().password
        return None if secret is None else unquote(secret)


def _size_of(headers: dict[str, str]) -> int:
    """Return the bytes that headers take in a message (NATS ADR-4)."""
    return sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items()) + len("NATS/1.0\r\n\r\n")


def _is_beyond(command: bytes, most: int) -> bool:
    """Whether a command publishes a message of more bytes."""
    return len(command) > most and command.startswith((b"PUB ", b"HPUB ")) and _announced(command) > most


def _announced(command: bytes) -> int:
    return int(command.partition(b"\r\n")[0].rpartition(b" ")[2])


def _is_place(text: object) -> bool:
    """Whether it is `host:port`."""
    try:
        return isinstance(text, str) and bool((url := urlsplit(f"nats://{text}")).hostname and url.port)
    except ValueError:
        return False


def _place_of(server: Srv) -> str:
    place: str = server.uri.netloc.rpartition("@")[2]
    return place


class DecodingClient(Client):
    """Decodes users, passwords and tokens in addresses, and reads on whatever anybody sends.

    As it comes, nats-py sends them as they stand in the address, and stops reading for good at a message whose headers
    or reply subject it cannot take apart: anybody who may publish can send one. A PING overtakes what was sent before.
    """

    def __init__(self) -> None:
        """Make a client that is not connected."""
        super().__init__()
        self._ps: TolerantParser = TolerantParser(self)

    @staticmethod
    def _parse_server_uri(connect_url: str) -> ParseResult:
        return _Address(*Client._parse_server_uri(connect_url))  # noqa: SLF001 - a static method of what this is

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:  # noqa: ANN401 - bytes, or None
        if headers and len(headers) > MAX_HEADERS:
            return None
        try:
            return await super()._process_headers(headers)
        except Exception:  # noqa: BLE001 - no headers, whatever those bytes are; the message itself is as good as any
            return None

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> Msg | None:  # noqa: ANN401 - a dict, or None
        for where in (reply, b""):  # at a subject that is no UTF-8 nobody can be reached
            with contextlib.suppress(UnicodeDecodeError):
                message: Msg = super()._build_message(sid, subject, where, data, headers)
                return message
        return None

    def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> Coroutine[Any, Any, None]:
        """Publish a message. Raises MaxPayloadError when it is larger than the server takes.

        As it comes, its headers do not count, and the server ends the connection.
        """
        if headers and len(payload) + _size_of(headers) > self.max_payload:
            raise MaxPayloadError
        sent: Coroutine[Any, Any, None] = super().publish(subject, payload, reply, headers)
        return sent

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - as nats-py has it
        # As it comes, the account's own limit on messages, which a server tells of after CONNECT, is not heard. And a
        # server of the cluster gets no login that stands in an address, must prove the address of whoever told of it,
        # is listed beside itself, and is kept for as long as the process lives. The order says whose turn is next.
        if isinstance(info, dict) and is_size(most := info.get("max_payload")):
            self._max_payload = most
        told = info.get("connect_urls") if isinstance(info, dict) else None
        if not isinstance(told, list) or self._current_server is None:
            return
        told = list(filter(_is_place, told))
        await super()._process_info({"connect_urls": told}, initial_connection)
        if not told:
            return
        login, at, _ = self._current_server.uri.netloc.rpartition("@")
        name = self._current_server.tls_name or self._current_server.uri.hostname
        there = {_place_of(server) for server in self._server_pool if not server.discovered}
        kept = []
        for server in self._server_pool:
            place = _place_of(server)
            if server.discovered:
                if place not in told or place in there:
                    continue
                there.add(place)
                if server.tls_name is not None:
                    server.tls_name = name
                if at:
                    server.uri = self._parse_server_uri(f"{server.uri.scheme}://{login}@{place}")
            kept.append(server)
        self._server_pool[:] = kept

    async def flush(self, timeout: int = DEFAULT_FLUSH_TIMEOUT) -> None:  # noqa: ASYNC109 - as nats-py has it
        """Return when the server has all that was sent. Raises ConnectionReconnectingError when there is no connection.

        As it comes, it then returns at once, as if the server had what may be lost with the connection. That is so too
        while a new connection is being made, when it counts as reconnecting no more. And where the connection is gone
        but nobody has read so yet, it raises what the transport does.
        """
        if not self.is_connected and not self.is_closed:
            raise ConnectionReconnectingError
        try:
            await super().flush(timeout)
        except ConnectionResetError as error:
            if asyncio.current_task() is not self._reconnection_task:  # that one goes on by itself
                await self._process_op_err(error)
            raise ConnectionReconnectingError from error

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # As it comes, a PING overtakes what waits for the flusher. The answer to it is then no sign that the server
        # knows of a subscription, or has sent all of one that was ended: requests in between would be lost.
        if self._pending and self.is_connected and self._transport is not None:
            self._transport.writelines(self._pending)
            self._pending, self._pending_data_size = [], 0
        await super()._send_ping(future)

    async def _process_pong(self) -> None:
        # As it comes, one that nobody waits for any more, since the flush gave up, ends the reading.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_err(self, err_msg: str) -> None:
        # As it comes, most errors close the client for good: a login that expired, a limit on connections. A server
        # that ends a connection with an error closes it too, which is then an outage as any other. It does not after a
        # subscription too many, without which the service would be another one.
        self._err = Error("nats: " + err_msg.strip("'"))
        await self._error_cb(self._err)
        if TOO_MANY in err_msg.lower():
            await super()._process_err(err_msg)

    async def _read_loop(self) -> None:
        await super()._read_loop()
        task = asyncio.current_task()
        if self.is_connected and task is not None and not task.cancelling():
            # It gave up at something that it did not know: better a new connection than one that nobody reads.
            await self._process_op_err(ProtocolError())


class ReconnectingClient(DecodingClient):
    """Tries each server `max_reconnect_attempts` times an outage: -1 stands for ever, 0 for never.

    While the service starts, each server gets one attempt more, the first. (As it comes, nats-py takes 0 for ever,
    tries once more than it is told, forgets for good a server that was away while another was there, and
    connects in clear where TLS is configured but the server has none.)
    """

    _attempts = 0
    """How often each server is tried in the present outage; negative: without end."""

    async def connect(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - whatever nats-py takes
        """Connect as `nats.connect` does. Raises NoServersError when all attempts failed."""
        limit = options["max_reconnect_attempts"]
        self._attempts = limit if limit < 0 else limit + 1
        # An attempt that reaches a server but is turned away counts like one that does not reach it.
        options["allow_reconnect"] = True
        options.setdefault("inbox_prefix", INBOX_PREFIX)
        try:
            await super().connect(*args, **options)
        finally:
            self.options["allow_reconnect"] = limit != 0

    async def _attempt_reconnect(self) -> None:
        self._attempts = self.options["max_reconnect_attempts"]
        for server in self._server_pool:
            server.reconnects = 0
        # As it comes, whoever flushes waits for the answer of a server that is not there any more.
        pongs, self._pongs = self._pongs, []
        for pong in pongs:
            if not pong.done():
                pong.set_exception(ConnectionReconnectingError())
                pong.exception()  # nobody need be there to look at it
        try:
            await super()._attempt_reconnect()
        except asyncio.InvalidStateError:
            return  # cancelled for the next one, which an older one had told of its end already
        except Exception as error:  # noqa: BLE001 - for example credentials that were spoilt meanwhile
            self._err = error
            await self._error_cb(error)
            await self.close()

    async def _process_connect_init(self) -> None:
        await super()._process_connect_init()
        # As it comes, what waits and is larger than this server takes is sent: the server ends the connection at it,
        # and what waited behind it is lost too.
        small = [command for command in self._pending if not _is_beyond(command, self._max_payload)]
        if len(small) < len(self._pending):
            self._pending, self._pending_data_size = small, sum(map(len, small))
            await self._error_cb(MaxPayloadError())

    async def _select_next_server(self) -> None:
        """Connect to the next server that has attempts left; servers take turns."""
        while True:
            left = [s for s in self._server_pool if self._attempts < 0 or s.reconnects < self._attempts]
            if not left:
                raise NoServersError
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # The cancellation came as an attempt ended, and `asyncio.wait_for` lost it.
                raise asyncio.CancelledError
            server = left[0]
            self._server_pool.remove(server)
            self._server_pool.append(server)
            await self._wait_for(server.last_attempt)
            self._current_server = server
            try:
                await self._connect_to_server(server)
            except (TimeoutError, OSError, Error, ValueError) as error:  # ValueError: a host that cannot be one
                server.last_attempt = time.monotonic()
                server.reconnects += 1
                self._err = error
                await self._error_cb(error)
            else:
                return

    async def _close(self, status: int, do_cbs: bool = True) -> None:  # noqa: FBT001, FBT002 - as nats-py has it
        # As it comes, what waits to be sent is written to the connection that is gone. That fails: nobody is told that
        # the client is closed, and it cannot be closed again. It may be gone without anybody having read so.
        if self.is_connected and self._transport is not None:
            with contextlib.suppress(ConnectionResetError):
                self._transport.writelines(self._pending)
        self._pending, self._pending_data_size = [], 0
        await super()._close(status, do_cbs)

    async def _connect_to_server(self, s: Srv) -> None:
        s.last_attempt = time.monotonic()
        # As it comes, what an attempt began that got as far as the PONG, and failed then, goes on beside the next one.
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        if isinstance(self._transport, BoundedTransport):
            self._transport.abort()  # of an attempt that was turned away
        self._ps.reset()  # of what a connection before had begun to say
        transport = BoundedTransport(self._ps)
        timeout = self.options["connect_timeout"]
        await transport.connect(s.uri, buffer_size=DEFAULT_BUFFER_SIZE, connect_timeout=timeout)
        self._transport = transport

    async def _wait_for(self, last_attempt: float | None) -> None:
        wait = max(_LEAST_WAIT, self.options["reconnect_time_wait"])
        if last_attempt is not None and (left := last_attempt + wait - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def ask_again(self, subscription: Subscription) -> None:
        """Subscribe again on the same connection. The server refuses what it must; what it has it leaves as it is."""
        await self._send_subscribe(subscription)

    def give_up(self, subscription: Subscription) -> None:
        """Do not subscribe again after a reconnection: a drain removes a subscription only once the server agreed."""
        self._remove_sub(subscription._id)  # noqa: SLF001 - has no other name

    def _connect_command(self) -> bytes:
        if "tls" in self.options and not self._server_info.get("tls_required"):
            raise SecureConnRequiredError
        return super()._connect_command()
