# SPDX-License-Identifier: MIT
"""The switchboard of faults: what goes wrong, on which calls, how often."""

from __future__ import annotations

import fnmatch
import gzip
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.stand_ins.auth0.web import Call

Kind = Literal[
    "reply",  # that reply instead of the right one
    "reset",  # the connection is reset, no reply
    "cut",  # the reply ends in the middle of its body
    "hang",  # no reply, the connection stays
    "hang_body",  # headers and half the body, then nothing
    "wrong_types",  # the right reply with wrong types in its JSON
    "gzip_bomb",  # a small body that unpacks to a huge one
    "flood",  # a body without end
    "delay",  # the right reply, late
]
_HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass
class Fault:
    """Something that goes wrong.

    `on`: a pattern (`*`, `users.*`, `GET /api/v2/users/*`) for the operation, or for method and decoded path.
    `times`: how many calls it strikes, None for all until it is cleared; `skip`: so many are let pass before.
    `acts`: the call takes effect all the same, only its reply is lost.
    """

    kind: Kind = "reply"
    on: str = "*"
    times: int | None = None
    skip: int = 0
    acts: bool = False
    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    size: int = 64 * 1024 * 1024
    struck: int = 0

    def concerns(self, call: Call) -> bool:
        """Whether the fault is one of that call's."""
        if self.on in {"*", call.operation}:
            return True
        described = f"{call.method} /{'/'.join(call.segments)}"
        return fnmatch.fnmatchcase(call.operation, self.on) or fnmatch.fnmatchcase(described, self.on)


@cache
def bomb(size: int) -> bytes:
    """Return gzip data (RFC 1952) that unpacks to a JSON string of that size."""
    return gzip.compress(b'"' + b"a" * size + b'"', compresslevel=1)


class Faults:
    """All faults in force; of several that concern a call, the first one strikes."""

    def __init__(self) -> None:
        self.latency: float = 0.0
        """Seconds that every reply takes."""
        self.active: list[Fault] = []

    def add(self, kind: Kind, on: str = "*", **more: Any) -> Fault:
        """Put a fault in force; see `Fault` for what can be said about it."""
        fault = Fault(kind, on, **more)
        if kind == "gzip_bomb":
            bomb(fault.size)  # made now, for it takes a while and the server should not stand still meanwhile
        self.active.append(fault)
        return fault

    def status(self, status: int, on: str = "*", content: object = None, **more: Any) -> Fault:
        """Answer with that status, and Auth0's JSON error unless there is other content."""
        content = content or {"statusCode": status, "error": "Error", "message": "A fault was asked for."}
        return self.add("reply", on, status=status, body=json.dumps(content), **more)

    def html(self, status: int = 502, on: str = "*", **more: Any) -> Fault:
        """Answer with a gateway's error page."""
        return self.add("reply", on, status=status, body=_HTML.decode(), content_type="text/html", **more)

    def too_many(
        self, on: str = "*", *, retry_after: str | None = None, reset: int | None = None, **more: Any
    ) -> Fault:
        """Answer 429, with the headers given."""
        named = {"Retry-After": retry_after, "X-RateLimit-Reset": None if reset is None else str(reset)}
        headers = {name: value for name, value in named.items() if value is not None}
        content = {"statusCode": 429, "error": "Too Many Requests", "message": "Global limit has been reached"}
        return self.status(429, on, {**content, "errorCode": "too_many_requests"}, headers=headers, **more)

    def garbage(self, on: str = "*", body: str = '{"user_id": "auth0|a', **more: Any) -> Fault:
        """Answer 200 with JSON that does not parse."""
        return self.add("reply", on, status=200, body=body, **more)

    def json(self, content: object, on: str = "*", status: int = 200, **more: Any) -> Fault:
        """Answer with that JSON."""
        return self.add("reply", on, status=status, body=json.dumps(content), **more)

    def redirect(self, location: str, on: str = "*", status: int = 302, **more: Any) -> Fault:
        """Answer with a redirect."""
        return self.add("reply", on, status=status, headers={"Location": location}, **more)

    def clear(self) -> None:
        """Lift all faults, the latency too."""
        self.latency = 0.0
        self.active.clear()

    def strike(self, call: Call) -> Fault | None:
        """Return what strikes this call, and count it."""
        for fault in self.active:
            if fault.times == fault.struck or not fault.concerns(call):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.struck += 1
            return fault
        return None

    def described(self) -> dict[str, Any]:
        """Return what is in force."""
        return {"latency_ms": self.latency * 1000, "faults": [asdict(fault) for fault in self.active]}
