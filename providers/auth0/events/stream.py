# SPDX-License-Identifier: MIT
"""Reads the tenant's events with auth0-python. It is loaded only if `AUTH0_EVENTS` is on."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from providers.auth0.events.sieve import UNKNOWN_USER, USER_EVENTS, SievingTransport, TooLong
from providers.http import CONNECT_TIMEOUT, library_client, make_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SILENCE: Final = 60.0
"""Seconds without output after which a connection is closed."""

_REFUSED_OFFSETS: Final = (400, 410, 414, 431)
_CURSOR_ERRORS: Final = ("invalid_cursor", "cursor_expired")
_TOO_LARGE: Final = "payload_too_large"
_UNAUTHORIZED: Final = 401


class OffsetRefused(Exception):
    """The tenant does not continue from that offset: changes may have been missed."""


class StreamRefused(Exception):
    """The tenant refuses the stream; the text has the status of its answer."""

    def __init__(self, status: int | None) -> None:
        """Take the status."""
        super().__init__(f"refused with status {status}")


@dataclass(frozen=True, slots=True)
class Word:
    """A message of the stream: a position and, in most messages, the changed user.

    `user_id` is empty if no user was changed. `unknown`: a user was changed, but the identifier cannot be read.
    """

    offset: str
    user_id: str = ""
    addresses: tuple[str, ...] = ()
    unknown: bool = False


class EventStream:
    """Opens the stream of one tenant."""

    def __init__(
        self, origin: str, client: httpx.AsyncClient, token: Callable[[], Awaitable[str]], refused: Callable[[], None]
    ) -> None:
        """Take the tenant's origin, a client from `open_stream_client`, and functions to get and drop the token."""
        # 1,300 modules, seconds of work: whoever serves has it done in a thread.
        from auth0.management import AsyncAuth0  # noqa: PLC0415 - see above
        from auth0.management.core.api_error import ApiError  # noqa: PLC0415 - see above

        self._refused = refused
        self._refusal = ApiError
        self._api = AsyncAuth0(
            base_url=f"{origin}/api/v2",
            token="unused",  # noqa: S106 - of the synchronous client, which is not used
            async_token=token,
            httpx_client=client,
            max_retries=0,
        ).events

    async def words(self, offset: str) -> AsyncIterator[Word]:
        """Yield the messages after `offset`, or from the end of the stream, until the tenant closes it.

        Raises OffsetRefused, StreamRefused, and what the client raises when the connection breaks.
        """
        stream = self._api.subscribe(from_=offset or None, event_type=list(USER_EVENTS))
        try:
            async for message in stream:
                yield _word(message)
        except self._refusal as error:
            if error.status_code == _UNAUTHORIZED:
                self._refused()
            if offset and error.status_code in _REFUSED_OFFSETS:
                raise OffsetRefused from None
            raise StreamRefused(error.status_code) from None
        except TooLong:
            # From the same place it would come again.
            raise OffsetRefused from None
        finally:
            await stream.aclose()


def _word(message: Any) -> Word:  # noqa: ANN401 - one of two dozen models
    error = getattr(message, "error", None)
    if error is not None:
        if error.code in _CURSOR_ERRORS or error.code == _TOO_LARGE:
            raise OffsetRefused
        raise StreamRefused(None)
    event = getattr(message, "event", None)
    if event is None:
        return Word(message.offset)
    user = event.data.object
    addresses = tuple(one.profile_data.email for one in user.identities if one.profile_data is not None)
    return Word(message.offset, user.user_id, addresses, unknown=user.user_id == UNKNOWN_USER)


@asynccontextmanager
async def open_stream_client(opened: Callable[[], None]) -> AsyncIterator[httpx.AsyncClient]:
    """Open the client of a stream, with its own connection, so that callers' requests lose none.

    `opened` is called when the tenant grants a stream.
    """
    timeout = httpx.Timeout(SILENCE, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT)
    transport = SievingTransport(make_transport(1, sys.maxsize), opened)
    async with library_client(transport, timeout, accept="text/event-stream") as client:
        yield client
