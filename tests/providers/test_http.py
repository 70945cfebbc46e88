# SPDX-License-Identifier: MIT
"""What is taken of an answer."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest
from loguru import logger

from providers.http import MAX_ANSWER, BoundedTransport, BrokenAnswer, Client, TooMuch, make_transport
from tests.stand_ins.stalling import stalling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stand_ins.stalling import Line


SECRET = "ada@" + "example.org"
"""Put together, so that it is not in the lines that a traceback shows."""


async def fetch(response: httpx.Response) -> bytes:
    transport = BoundedTransport(httpx.MockTransport(lambda _: response))
    async with Client(transport) as client:
        return (await client.get("https://tenant.example/")).content


async def test_a_packed_answer_is_not_unpacked():
    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"{}"))
    with pytest.raises(BrokenAnswer):
        await fetch(packed)


async def parts(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def test_an_answer_is_read_to_the_bound_and_not_beyond():
    assert len(await fetch(httpx.Response(200, content=parts(MAX_ANSWER)))) == 2 * 1024 * 1024
    with pytest.raises(TooMuch, match=r"^too long$"):
        await fetch(httpx.Response(200, content=parts(MAX_ANSWER + 1)))


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_of_a_failure_with_a_long_page_the_beginning_is_read(status):
    answer = httpx.Response(status, headers={"Retry-After": "7"}, content=parts(MAX_ANSWER - 1, 9))
    transport = BoundedTransport(httpx.MockTransport(lambda _: answer))
    async with Client(transport) as client:
        got = await client.get("https://tenant.example/")
    assert (got.status_code, got.headers["Retry-After"], len(got.content)) == (status, "7", 2 * 1024 * 1024)


async def test_what_a_tenant_wants_to_be_kept_is_not_kept_and_no_redirect_is_followed():
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"Set-Cookie": "session=ada", "Location": "https://tenant.example/next"})

    async with Client(httpx.MockTransport(answer)) as client:
        statuses = [(await client.get("https://tenant.example/")).status_code for _ in range(2)]
    assert statuses == [302, 302]
    assert [request.url.path for request in seen] == ["/", "/"]
    assert [request.headers.get("cookie") for request in seen] == [None, None]


async def test_a_broken_body_ends_its_connection():
    closed: list[bool] = []

    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            raise httpx.ReadError("cut")

        async def aclose(self) -> None:
            closed.append(True)

    with pytest.raises(httpx.ReadError):
        await fetch(httpx.Response(200, stream=Breaking()))
    assert closed


@pytest.mark.parametrize(
    "reason", ["Oriëntatieprobleem".encode("latin-1"), "Oriëntatieprobleem".encode(), b"\xff\xfe", b"\x80" * 200, b""]
)
async def test_a_status_line_beyond_ascii_is_an_answer_like_others(reason):
    def answer(line: Line) -> None:
        line.hear()
        line.say(b"HTTP/1.1 500 " + reason + b"\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}")

    with stalling(answer) as server:
        async with Client(make_transport(2)) as client:
            got = await client.get(f"http://127.0.0.1:{server.port}/")
    assert (got.status_code, got.headers["Retry-After"], got.content) == (500, "7", b"{}")


@pytest.mark.parametrize("kind", [ValueError, KeyError, AttributeError, AssertionError, RuntimeError])
@pytest.mark.parametrize("place", ["before the head", "in the body"])
async def test_what_nobody_foresaw_is_a_broken_answer_and_an_error_in_the_log_without_its_text(kind, place):
    class Failing(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            raise kind(SECRET)

    def answer(_: httpx.Request) -> httpx.Response:
        if place == "in the body":
            return httpx.Response(200, stream=Failing())
        raise kind(SECRET)

    logged: list[str] = []
    handler = logger.add(logged.append, level="ERROR", diagnose=False)
    try:
        async with Client(httpx.MockTransport(answer)) as client:
            with pytest.raises(BrokenAnswer, match=r"^unreadable$"):
                await client.get("https://tenant.example/")
    finally:
        logger.remove(handler)
    (record,) = logged
    assert "nobody foresaw" in record
    assert kind.__name__ in record
    assert SECRET not in record
