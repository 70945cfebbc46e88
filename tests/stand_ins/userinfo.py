# SPDX-License-Identifier: MIT
"""Authelia's userinfo endpoint: tokens that are known, and every way to fail."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.stand_ins.http import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


BODIES = {"garbage": b"<html>", "endless": b" " * 1_000_000, "list": b"[]"}


@dataclass
class Userinfo:
    """What the endpoint knows, and how it shall behave: `fault` is a name, or a status code."""

    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    client_tokens: set[str] = field(default_factory=set)
    fault: str | int = ""
    faults: list[str | int] = field(default_factory=list)
    """What to do wrong first, one a request, before `fault` decides."""
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the last request, with names in lower case."""
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(token)
        self.paths.append(request.path)
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        fault = self.faults.pop(0) if self.faults else self.fault
        if fault == "redirect":
            raise web.HTTPFound("/elsewhere")
        if fault == "hang":
            await asyncio.sleep(60)
        if fault == "drip":
            return await _drip(request)
        if isinstance(fault, int):
            return web.Response(status=fault)
        if fault in BODIES:
            return web.Response(body=BODIES[fault], content_type="text/html")
        if token in self.client_tokens:
            return web.json_response({"error": "insufficient_scope"}, status=403)
        claims = self.claims.get(token)
        return web.Response(status=401) if claims is None else web.json_response(claims)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Userinfo]:
        app = web.Application()
        app.router.add_get("/api/oidc/userinfo", self.answer)
        app.router.add_get("/elsewhere", self.answer)
        async with listening(app) as url:
            self.url = f"{url}/api/oidc/userinfo"
            yield self


async def _drip(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, so that no wait for one is long, and the answer never whole."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.1)
    return answer
