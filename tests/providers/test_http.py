# SPDX-License-Identifier: MIT
"""What is taken of an answer."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

from providers.http import MAX_ANSWER, BoundedTransport, BrokenAnswer, Client, TooMuch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
