# SPDX-License-Identifier: MIT
"""The client of the Kubernetes API: kr8s, which finds address and credentials, on the HTTP client of all providers."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import kr8s.asyncio

from providers.http import Client, make_transport

_CONNECTIONS: Final = 8
_MAX_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read: an object holds a mebibyte at most, of which JSON makes several."""


class Api(kr8s.asyncio.Api):
    """kr8s's client on the HTTP client of all providers.

    The one that it makes otherwise keeps cookies, follows redirects, reads without a bound, and loses sight of a
    connection whose TLS handshake is cut off (httpcore closes it after an error, but not after a cancellation).
    """

    def __init__(self, **options: str) -> None:
        """Take what kr8s takes: `namespace`, and `url` or `kubeconfig` where neither is to be found out."""
        # Not by `kr8s.asyncio.api`: it hands out shared clients, and loses its grip on one whose first call fails.
        super().__init__(bypass_factory=True, **options)
        self._making = asyncio.Lock()

    async def _create_session(self) -> None:
        seen = self._session
        async with self._making:
            if self._session is seen:  # otherwise somebody else made one meanwhile
                await self._make_session()

    async def _make_session(self) -> None:
        if self._session is not None:
            await self._session.aclose()
        tls = await self.auth.ssl_context()  # type: ignore[no-untyped-call]
        headers = {"User-Agent": "lfx-v2-auth-service", "Content-Type": "application/json"}
        if self.auth.token:
            headers["Authorization"] = f"Bearer {self.auth.token}"
        transport = make_transport(
            _CONNECTIONS, _MAX_ANSWER, tls if isinstance(tls, ssl.SSLContext) else None, self.auth.proxy
        )
        self._session = Client(transport, str(self.auth.server), headers)
