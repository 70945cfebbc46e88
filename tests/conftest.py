# SPDX-License-Identifier: MIT
"""What all tests share: a clean environment, a nats-server, and the service in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from app.cli.dev.nats_server import NatsServer, nats_server

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = (
    "NATS_",
    "AUTH0_",
    "AUTHELIA_",
    "EMAIL_",
    "OTEL_",
    "LOG_",
    "MAX_",
    "MOCK_",
    "USER_REPOSITORY_TYPE",
    "REQUEST_TIMEOUT",
    "PORT",
    "SUBJECT_PREFIX",
    "READ_",
    "QUEUE_GROUP",
    "BIND",
    "ALLOWED_ALIAS",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """A nats-server for the whole session."""
    with nats_server() as server:
        yield server
