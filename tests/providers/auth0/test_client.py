"""What is taken of an answer."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

from providers.auth0.answers import BrokenAnswer
from providers.auth0.client import MAX_ANSWER, BoundedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def fetch(response: httpx.Response) -> bytes:
    transport = BoundedTransport(httpx.MockTransport(lambda _: response))
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get("https://tenant.example/")).content


async def test_a_packed_answer_is_not_unpacked():
    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"{}"))
    with pytest.raises(BrokenAnswer):
        await fetch(packed)


async def parts(size: int) -> AsyncIterator[bytes]:
    yield b"x" * size


async def test_an_answer_is_read_to_the_bound_and_not_beyond():
    assert len(await fetch(httpx.Response(200, content=parts(MAX_ANSWER)))) == 2 * 1024 * 1024
    with pytest.raises(BrokenAnswer):
        await fetch(httpx.Response(200, content=parts(MAX_ANSWER + 1)))
