# SPDX-License-Identifier: MIT
"""What `auth-service dev` sets up for a provider, and what it shows of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.settings import Settings
    from app.settings.types import Section


class StandInMissing(Exception):
    """What stands in for the upstream is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a stand-in should be.

    `rate_limit`: calls a second that a tenant takes, 0 for any number. `bare`: nothing is set up in the tenant.
    `events`: whether the tenant tells its events.
    """

    rate_limit: float = 0
    bare: bool = False
    events: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """A request that works as it is printed: subject, body, an optional remark, and the user whose token it has."""

    subject: str
    body: str
    remark: str = ""
    user: str = ""


def body(**members: object) -> str:
    """Return the body of a request with these members."""
    return json.dumps(members)


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a provider is given for development: stand-ins for its upstreams, and what to try.

    `sections`: its settings, in the place of what the environment says. `environment`: variables of this process that
    libraries read by themselves. `places`: further addresses, each with its name. `users`: a table, its head first.
    `tokens`: by the names that `request` knows them by. `notes`: paragraphs below the table. `requests`: what to try.
    `aliases`: whether the provider has any.
    """

    sections: Sequence[Section]
    users: Sequence[Sequence[str]]
    requests: Sequence[Try]
    tokens: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    places: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    aliases: bool = True


Opener = Callable[["Settings", str, Wishes], AbstractContextManager[StandIn]]
"""Sets everything up for as long as the context lasts: from given settings, the address of NATS, what is wished for.

Raises ConfigurationError, StandInMissing."""
