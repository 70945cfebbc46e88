# SPDX-License-Identifier: MIT
"""A call of the tenant, and the kind of its operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from providers.auth0.tenant.limiter import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from pydantic import SecretStr

    from app.domain.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Kind:
    """What an operation is called in metrics and logs, what limits it, and whether repeating it does any harm."""

    name: str
    lane: Lane | None = None
    """Whose limit a 429 tells of, which everybody then waits for. None: the limit is one user's or one address's, and a
    429 is an answer like others."""

    once: bool = False
    """Whether it is repeated only when it certainly was not done."""

    writes: bool = False
    """Whether it changes something: once it was sent, what follows is not cut off. Goes with `once`."""

    json: bool = True
    """Whether a success must be JSON."""

    shape: type = object
    """What that JSON must be; anything else is a broken answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the tenant.

    `path` begins with a slash and is encoded. `json` and `form` make the body; a callable `form` is asked before every
    attempt. `token` is the caller's; without one the service acts in its own name, unless the call is `anonymous`.
    `special` maps statuses to errors; other refusals raise `fallback`. Statuses in `passes` are returned.
    `touches` are the subject identifiers of users that it changes, `addresses` those that it is about.
    """

    kind: Kind
    method: str
    path: str
    fallback: type[ServiceError]
    params: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    form: Callable[[], Mapping[str, str]] | None = None
    token: SecretStr | None = None
    anonymous: bool = False
    special: Mapping[int, type[ServiceError]] = field(default_factory=dict)
    passes: frozenset[int] = frozenset()
    touches: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def same(self) -> Hashable:
        """Equal for calls that ask the same and take the answer in the same way: all of it but a body."""
        params = tuple(self.params.items()) if self.params else ()
        meanings = (self.fallback, frozenset(self.special.items()), self.passes)
        return self.kind, self.method, self.path, params, self.token, self.anonymous, meanings
