# SPDX-License-Identifier: MIT
"""Carrying out a fault on the connection itself."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from tests.stand_ins.auth0.faults import bomb
from tests.stand_ins.auth0.web import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand_ins.auth0.faults import Fault

_LOOK_AGAIN = 0.02


async def carry_out(
    fault: Fault, request: web.BaseRequest, reply: Reply, in_force: Callable[[Fault], bool]
) -> web.StreamResponse:
    """Do what the fault says; `reply` is the right reply. A hang ends with the fault or the connection."""
    match fault.kind:
        case "reset":
            reset(request)
        case "cut":
            await _half(request, reply)
            _close(request)
        case "hang_body":
            await _half(request, reply)
            await _linger(fault, request, in_force)
            _close(request)
        case "hang":
            await _linger(fault, request, in_force)
            _close(request)
        case "flood":
            return await _flood(fault, request)
        case "gzip_bomb":
            headers = {"Content-Encoding": "gzip"}
            return web.Response(status=200, body=bomb(fault.size), headers=headers, content_type="application/json")
        case "wrong_types":
            return web.Response(status=reply.status, body=_mistyped(reply.body), content_type="application/json")
        case "delay":
            await asyncio.sleep(fault.seconds)
            return response(reply)
        case "reply":
            content_type = {"Content-Type": fault.content_type}
            body = fault.body.encode()
            return web.Response(status=fault.status, body=body, headers={**content_type, **fault.headers})
    return web.Response(status=500)


def response(reply: Reply) -> web.Response:
    """Return the reply as the server sends it."""
    return web.Response(
        status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type, **reply.headers}
    )


def reset(request: web.BaseRequest) -> None:
    """Reset the connection: the peer sees RST, not an end."""
    transport = request.transport
    if transport is None:
        return
    known = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(known.fileno())) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


async def _half(request: web.BaseRequest, reply: Reply) -> None:
    body = reply.body or b"{}"
    half = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.content_type})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])


async def _linger(fault: Fault, request: web.BaseRequest, in_force: Callable[[Fault], bool]) -> None:
    # Polled, for neither the fault's end nor the connection's comes as an event of this loop.
    while in_force(fault) and request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_AGAIN)


async def _flood(fault: Fault, request: web.BaseRequest) -> web.StreamResponse:
    endless = web.StreamResponse(status=200, headers={"Content-Type": "application/json"})
    await endless.prepare(request)
    chunk = b'["' + b"a" * 65_531 + b'",'
    for _ in range(max(1, fault.size // len(chunk))):
        await endless.write(chunk)
    return endless


def _mistyped(body: bytes) -> bytes:
    try:
        content = json.loads(body)
    except ValueError:
        return b"[[5]]"
    # A list of users is none any more; one user has no id.
    wrong = {"users": content} if isinstance(content, list) else _wrong(content)
    return json.dumps(wrong).encode()


def _wrong(content: object) -> object:
    """Return the same shape with a wrong type at every leaf."""
    match content:
        case dict():
            return {key: _wrong(value) for key, value in content.items()}
        case list():
            return [_wrong(value) for value in content] or "none"
        case bool():
            return "yes"
        case str():
            return {"value": content}
        case int() | float():
            return "many"
        case _:
            return [content]
