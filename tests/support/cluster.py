# SPDX-License-Identifier: MIT
"""Three nats-servers that are one cluster with JetStream, on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nats

from app.cli.dev.nats_server import NatsServer
from tests.support.ports import free_port
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = ("one", "two", "three")


class Cluster:
    """The servers by name."""

    def __init__(self, folder: Path) -> None:
        """Take where they may keep what they store."""
        routes = {name: free_port() for name in _NAMES}
        others = ",".join(f"nats://127.0.0.1:{port}" for port in routes.values())
        self.servers: dict[str, NatsServer] = {}
        for name, port in routes.items():
            store = folder / name
            store.mkdir()
            place = ("--cluster", f"nats://127.0.0.1:{port}", "--routes", others, "--no_advertise")
            self.servers[name] = NatsServer(free_port(), store, ("-n", name, "--cluster_name", "test", *place))

    def urls(self, *, first: str = "", but: str = "") -> list[str]:
        """Return the addresses, with that of one server first or without that of another."""
        names = sorted((name for name in _NAMES if name != but), key=lambda name: name != first)
        return [self.servers[name].url for name in names]

    def kill(self, name: str) -> None:
        """End the server as a fault would: at once, and without a word."""
        os.kill(self.servers[name].pid, signal.SIGKILL)

    async def ready(self) -> None:
        """Wait until JetStream has a leader: until then no bucket can be made."""
        client = await connect(self.urls())
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        await client.jetstream(timeout=1).account_info()
                    except nats.errors.Error:
                        await asyncio.sleep(0.1)
                    else:
                        return
        finally:
            await client.close()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run the servers while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="nats-cluster-") as folder:
        three = Cluster(Path(folder))
        try:
            for server in three.servers.values():
                server.start()
            yield three
        finally:
            for server in three.servers.values():
                server.stop()


async def leader_of(client: nats.NATS, bucket: str, *, but: str = "") -> str:
    """Return the server that leads the bucket; wait until there is one, another than `but` where that is given."""
    async with asyncio.timeout(60):
        while True:
            try:
                info = await client.jetstream(timeout=0.5).stream_info(f"KV_{bucket}")
            except (nats.errors.Error, TimeoutError):
                continue
            if info.cluster is not None and info.cluster.leader not in (None, but):
                return info.cluster.leader
            await asyncio.sleep(0.01)
