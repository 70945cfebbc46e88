# SPDX-License-Identifier: MIT
"""The HTTP side: health, metrics and documentation. GET and HEAD only."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from loguru import logger

from app.http_server import Answer, Limits, listening, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.http_server import Answering
    from app.settings import HttpSettings

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METHODS: Final = ("GET", "HEAD")
_PLAIN: Final = "text/plain"
_EXPOSITION: Final = "text/plain; version=0.0.4"

Document = tuple[str, bytes, "Mapping[str, str]"]
"""Media type, body, headers."""


def create_pages(
    readiness: Callable[[], Mapping[str, str]],
    metrics: Callable[[], bytes],
    documents: Mapping[str, Callable[[], Document]],
) -> Answering:
    """Return what answers requests.

    `readiness` maps each part of the service to its fault, or to the empty string. A part whose name ends in `?` is
    shown, but does not count. `documents` maps paths to what makes each, once.
    """
    made: dict[str, Document] = {}
    # Health waits for nobody. Of the others one is made at a time, so that a thousand who ask do not fill a turn of
    # the event loop; a document, which takes hundreds of milliseconds, beside it.
    measuring, making = asyncio.Lock(), asyncio.Lock()

    async def exposition() -> Answer:
        async with measuring:
            answer = _page(_EXPOSITION, metrics())
            await asyncio.sleep(0)
        return answer

    async def document(path: str) -> Answer:
        async with making:
            if path not in made:
                made[path] = await asyncio.to_thread(documents[path])
        return _page(*made[path])

    async def answer(method: str, target: str) -> Answer:
        path, _, query = target.partition("?")
        if path not in {"/livez", "/readyz", "/metrics", *documents}:
            return _guarded(refusal(HTTPStatus.NOT_FOUND))
        if method not in _METHODS:
            return _guarded(refusal(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(_METHODS)}))
        match path:
            case "/livez":
                return _page(_PLAIN, b"OK")
            case "/readyz":
                return _ready(readiness(), verbose="verbose" in parse_qs(query, keep_blank_values=True))
            case "/metrics":
                return await exposition()
        return await document(target if target in documents else path)

    return answer


def _ready(parts: Mapping[str, str], *, verbose: bool) -> Answer:
    failing = _failing(parts)
    if verbose:
        text = "\n".join(f"{name.rstrip('?')}: {fault or 'ok'}" for name, fault in parts.items())
    else:
        text = "\n".join(f"{name}: {fault}" for name, fault in failing.items()) or "OK"
    status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    return _page(_PLAIN, text.encode())._replace(status=status)


def _page(media_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return _guarded(Answer(HTTPStatus.OK, {"Content-Type": media_type + charset, **(headers or {})}, body))


def _guarded(answer: Answer) -> Answer:
    return answer._replace(headers={**_HEADERS, **answer.headers})


def is_ready(parts: Mapping[str, str]) -> bool:
    """Return whether `parts` of the service, as `create_pages` takes them, let it serve."""
    return not _failing(parts)


def _failing(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: fault for name, fault in parts.items() if fault and not name.endswith("?")}


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
async def serving(pages: Answering, settings: HttpSettings, limits: Limits | None = None) -> AsyncIterator[int]:
    """Serve `pages` while the context lasts; give the port. Raises OSError when the address is taken."""
    with bind(settings) as listener:
        port: int = listener.getsockname()[1]
        async with listening(listener, pages, limits or Limits()):
            logger.debug("HTTP side is up", port=port)
            yield port
