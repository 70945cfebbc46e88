# SPDX-License-Identifier: MIT
"""A nats-server that runs deploy/nats/accounts.conf, with a key for each of its users."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nkeys
import pytest

from app.bus.nats.client import ReconnectingClient
from app.cli.dev.nats_server import NatsServer
from app.main import running
from app.settings import AliasSettings, HttpSettings, NatsSettings, Settings
from tests.support.ports import nats_server
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS = Path(__file__).parents[2] / "deploy/nats/accounts.conf"
NAMES = ("AUTH_SERVICE", "AUTH_SERVICE_AUTHELIA", "PROJECT_SERVICE", "LFX_ONE", "V1_SYNC", "OPERATOR")


class Bus:
    """A nats-server with the accounts file, and a key for each of its users."""

    def __init__(self, server: NatsServer, seeds: dict[str, str]) -> None:
        self.url = server.url
        self.seeds = seeds
        self._log = server.store / "nats-server.log"

    def violations(self) -> list[str]:
        """What the server has refused anybody so far, as it says in its log."""
        return [line for line in self._log.read_text(encoding="utf-8").splitlines() if "Violation" in line]

    @asynccontextmanager
    async def user(self, name: str, prefix: str | None = None):
        """A connection of that user, and the list of what the server has refused it."""
        refused: list[str] = []

        async def on_error(error: Exception) -> None:
            refused.append(str(error))

        # The service's own client: with it, what was sent before a flush has arrived when that is over.
        client = ReconnectingClient()
        prefix = prefix or f"_INBOX.{name.lower().replace('_', '-')}"
        seed = self.seeds[name]
        await client.connect(
            self.url,
            nkeys_seed_str=seed,
            inbox_prefix=prefix,
            error_cb=on_error,
            max_reconnect_attempts=0,
            connect_timeout=PATIENCE,
        )
        async with client:
            yield client, refused

    @asynccontextmanager
    async def service(self):
        """The service with its own key, on the mock provider."""
        settings = Settings(
            NatsSettings(servers=(self.url,), nkey_seed=self.seeds["AUTH_SERVICE"]),
            HttpSettings(port=0, bind="127.0.0.1"),
            AliasSettings(allowed_domains=("linux.com",)),
        )
        async with running(settings) as service:
            await service.broker.start()
            yield service


@contextmanager
def accounts(folder: Path) -> Iterator[Bus]:
    """Run the server while the context lasts; its configuration, which includes the file, is kept in `folder`."""
    pairs = {name: nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)) for name in NAMES}
    with pytest.MonkeyPatch.context() as environment:
        for name, pair in pairs.items():
            environment.setenv(f"NATS_{name}_KEY", pair.public_key.decode())
        file = folder / "nats.conf"
        file.write_text(f"include {os.path.relpath(ACCOUNTS, folder)}\n", encoding="utf-8")
        with nats_server(0, "-c", str(file)) as server:
            yield Bus(server, {name: pair.seed.decode() for name, pair in pairs.items()})
