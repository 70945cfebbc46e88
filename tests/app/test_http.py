# SPDX-License-Identifier: MIT
"""The HTTP side: which paths there are, what may be asked of them, and that nobody holds it up."""

from __future__ import annotations

import asyncio
import socket

import pytest

from app.http import create_pages, serving
from app.http_server import Limits
from app.settings import HttpSettings
from tests.support.waiting import PATIENCE

ANYWHERE = HttpSettings(port=0, bind="127.0.0.1")


async def _ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, body


def _pages(parts):
    return create_pages(lambda: parts, lambda: b"metric 1\n", {"/docs": lambda: ("text/html", b"<p>", {"X-Own": "1"})})


async def test_a_document_is_made_once():
    made = []

    def make():
        made.append("/docs")
        return "text/html", b"<p>", {}

    async with serving(create_pages(dict, bytes, {"/docs": make}), ANYWHERE) as port:
        assert [(await _ask(port, "/docs"))[2] for _ in range(2)] == [b"<p>"] * 2
    assert made == ["/docs"]


@pytest.mark.parametrize(
    ("path", "body"), [("/livez", b"OK"), ("/readyz", b"OK"), ("/metrics", b"metric 1\n"), ("/docs", b"<p>")]
)
async def test_the_named_paths_answer_get_and_head(path, body):
    async with serving(_pages({"nats": ""}), ANYWHERE) as port:
        status, headers, got = await _ask(port, path)
        assert (status, got) == (200, body)
        assert headers["x-content-type-options"] == "nosniff"
        assert (await _ask(port, path, "HEAD"))[::2] == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_other_methods_are_refused_with_allow(method):
    async with serving(_pages({}), ANYWHERE) as port:
        status, headers, _ = await _ask(port, "/livez", method)
        assert status == 405
        assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/livez/", "/docs/", "/docs/../livez", "/docs/try", "/openapi.json", "//livez"])
async def test_nothing_else_is_there(path):
    async with serving(_pages({}), ANYWHERE) as port:
        assert (await _ask(port, path))[0] == 404


async def test_readyz_has_a_line_for_each_failing_part_and_verbose_one_for_each():
    parts = {"nats": "not connected", "keys": "", "kubernetes?": "forbidden"}
    async with serving(_pages(parts), ANYWHERE) as port:
        assert (await _ask(port, "/readyz"))[::2] == (503, b"nats: not connected")
        everything = b"nats: not connected\nkeys: ok\nkubernetes: forbidden"
        assert (await _ask(port, "/readyz?verbose"))[::2] == (503, everything)
        parts["nats"] = ""
        assert (await _ask(port, "/readyz"))[::2] == (200, b"OK")


async def test_clients_that_hang_do_not_hold_up_the_end():
    endless = Limits(head=3600.0, answer=3600.0)
    async with asyncio.timeout(PATIENCE), serving(_pages({}), ANYWHERE, endless) as port:
        silent = await asyncio.open_connection("127.0.0.1", port)
        halfway = await asyncio.open_connection("127.0.0.1", port)
        halfway[1].write(b"GET /livez HTTP/1.1\r\nHo")
        await halfway[1].drain()
        assert (await _ask(port, "/livez"))[0] == 200
    for _, writer in (silent, halfway):
        writer.close()


async def test_a_taken_address_and_a_name_that_is_none_are_os_errors():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for settings in (HttpSettings(port=port, bind="127.0.0.1"), HttpSettings(port=0, bind="x" * 70)):
            with pytest.raises(OSError, match=r".*"):
                async with serving(_pages({}), settings):
                    pass


async def test_a_star_stands_for_all_addresses():
    async with serving(_pages({}), HttpSettings(port=0)) as port:
        assert (await _ask(port, "/livez"))[0] == 200
