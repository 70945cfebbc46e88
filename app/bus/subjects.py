# SPDX-License-Identifier: MIT
"""A subject: everything that the bus needs to know about it, declared once beside its handler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from app.domain.errors import ServiceError

PREFIX: Final = "lfx.auth-service."
"""How subjects begin unless `SUBJECT_PREFIX` is set."""
QUEUE_GROUP: Final = "lfx.auth-service.queue"
"""Where the replicas share the requests unless `QUEUE_GROUP` is set."""
PROFILE_UPDATED: Final = "lfx.user_profile.updated"

_INBOXES: Final = "_INBOX."
"""How nearly all reply subjects begin; the prefix of a service's subjects never does."""
_NO_INBOXES: Final = ("$", "lfx.")
"""How subjects begin that mean something to somebody: to NATS, its streams and buckets, and to the platform."""


def is_inbox(reply: str, prefix: str = PREFIX) -> bool:
    """Return whether a service whose subjects begin with `prefix` may send a reply there.

    NATS lets a caller name any subject as the one for the reply, and whoever replies publishes there with permissions
    of its own: without this check, a caller could have the service write into its buckets (`$KV.…`). The case of
    letters does not count. The client library gives errors of the server in lower case, so a refused reply to
    `LFX.…` would look like a refusal of what the service sends by itself.
    """
    return reply.startswith(_INBOXES) or not reply.lower().startswith((*_NO_INBOXES, prefix.lower()))


@dataclass(frozen=True, slots=True)
class Example:
    """One request and the reply to it, as they go over the wire: text, or what JSON makes of a value."""

    send: str | dict[str, Any]
    reply: str | dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A subject: `name` without the common prefix, its wire forms, its handler and how it fails.

    `request` is None for a text body; `reply` is `str` for a bare text. `malformed` is the error for a body that is
    not the JSON object described. `unavailable` are the errors with which a provider may lack the capability;
    they come before everything else.
    """

    name: str
    area: str
    handler: Callable[..., Awaitable[str | BaseModel]]
    request: type[BaseModel] | None
    reply: type[str | BaseModel]
    malformed: str | None = None
    errors: tuple[type[ServiceError], ...] = ()
    unavailable: tuple[type[ServiceError], ...] = ()
    example: Example
    request_hint: Any = None
    """The annotation of the handler's first parameter, with what it says of a text body."""
    reply_hint: Any = None
    """The annotation of what the handler returns, likewise."""
    injected: dict[str, str] = field(default_factory=dict)
    """Parameter of the handler → the name of the service that is injected there."""
    prefix: str = PREFIX
    """What comes before the name on the bus; a service has one for all its subjects."""
    queue: str = QUEUE_GROUP
    """The queue group of those who serve it."""

    @property
    def address(self) -> str:
        """The whole NATS subject."""
        return self.prefix + self.name

    @property
    def summary(self) -> str:
        """What the subject does: the first line of the handler's documentation."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def description(self) -> str:
        """All that the handler's documentation says after its first line."""
        lines = (self.handler.__doc__ or "").strip().split("\n")[1:]
        return "\n".join(line.strip() for line in lines).strip()
