# SPDX-License-Identifier: MIT
"""How long one message can hold up everybody else: a mebibyte of whatever costs time, to every subject."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.processes import service
from tests.stand_ins.auth0 import tenant_process
from tests.support.hostile import KINDS, attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.benchmarks.processes import Responder
    from tests.support.hostile import Seen

WANTED_MS = 100
"""Milliseconds in which health and a look-up are to be answered beside any message."""

NOTHING = "nothing hostile"
"""The examples as they are, to compare with."""


@dataclass(frozen=True)
class Row:
    """A kind of request on one provider: the worst of all rounds in milliseconds, and how many were sent."""

    provider: str
    kind: str
    requests: int
    live: float
    looked_up: float
    cpu: float
    faults: int


def rows(url: str, directory: Path, rounds: int) -> Iterator[Row]:
    """Send everything of every kind, so many times, to the service on the mock provider and on a tenant."""
    for provider, place in (("mock", _on_mock), ("auth0", _on_auth0)):
        with place(url, directory) as (product, known):
            for kind in (NOTHING, *KINDS):
                seen = [asyncio.run(_once(url, product, known, kind)) for _ in range(rounds)]
                yield Row(
                    provider,
                    kind,
                    sum(one.requests for one in seen),
                    1000 * max(max(one.live) for one in seen),
                    1000 * max(max(one.looked_up) for one in seen),
                    1000 * max(max(one.cpu) for one in seen),
                    sum(one.faults for one in seen),
                )


async def _once(url: str, product: Responder, known: Mapping[str, str], kind: str) -> Seen:
    async with attack(url, product.port, product.pid, known) as attacker:
        return await attacker.of(kind)


@contextmanager
def _on_mock(url: str, directory: Path) -> Iterator[tuple[Responder, dict[str, str]]]:
    with service(url, directory) as product:
        yield product, {"eyJ…": "ada-token"}


@contextmanager
def _on_auth0(url: str, directory: Path) -> Iterator[tuple[Responder, dict[str, str]]]:
    """Where texts are redacted because codes are wrong."""
    with tenant_process(records=False) as tenant, service(url, directory, **tenant.environment) as product:
        yield product, {"eyJ…": tenant.access_token("ada")}
