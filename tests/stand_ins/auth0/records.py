# SPDX-License-Identifier: MIT
"""What the tenant received and sent: every exchange, the mails, and the texts that nobody may log."""

from __future__ import annotations

import fnmatch
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stand_ins.auth0.web import Call

_KEPT = 20_000
_HARMLESS = frozenset(
    {"connection", "provider", "client_id", "grant_type", "realm", "scope", "audience", "token_type", "send"}
    | {"client_assertion_type", "subject_token_type", "error", "errorCode", "isSocial", "kid", "kty", "alg", "use"}
    | {"organization", "created_at", "updated_at"}
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it; `status` is 0 when no reply was sent."""

    operation: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    status: int
    sent: bytes

    @property
    def bearer(self) -> str:
        """The token that came along."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def fields(self) -> dict[str, Any]:
        """Return the body's fields, JSON or form."""
        content = _content(self.body)
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a real tenant would have sent: a code, or a link."""

    to: str
    kind: str
    code: str = ""
    link: str = ""


@dataclass
class Records:
    """All that happened since the last `clear`."""

    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=_KEPT))
    calls: Counter[str] = field(default_factory=Counter)
    """How often each operation was called; exact even when exchanges are kept no more."""
    mails: list[Mail] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    keep: bool = True
    on_mail: Callable[[Mail], None] | None = None
    """Is shown each mail."""

    def clear(self) -> None:
        """Forget everything."""
        self.exchanges.clear()
        self.calls.clear()
        self.mails.clear()
        self.most_in_flight = self.in_flight

    def mail(self, mail: Mail) -> None:
        """Take note of a mail."""
        self.mails.append(mail)
        if self.on_mail is not None:
            self.on_mail(mail)

    def note(self, call: Call, status: int, sent: bytes) -> None:
        """Take note of an exchange."""
        if self.keep:
            headers = {name.lower(): value for name, value in call.headers.items()}
            self.exchanges.append(
                Exchange(call.operation, call.method, call.path, call.query, headers, call.body, status, sent)
            )

    def of(self, pattern: str) -> list[Exchange]:
        """Return the exchanges of the operations that match (`users.*`), oldest first."""
        return [exchange for exchange in list(self.exchanges) if fnmatch.fnmatchcase(exchange.operation, pattern)]

    def count(self, pattern: str) -> int:
        """Return how often operations that match were called."""
        return sum(calls for operation, calls in list(self.calls.items()) if fnmatch.fnmatchcase(operation, pattern))

    def code_for(self, address: str) -> str:
        """Return the last code sent to that address; LookupError when there is none."""
        return [mail.code for mail in self.mails if mail.to == address.lower() and mail.code][-1]

    def confidential(self, shortest: int = 6) -> set[str]:
        """Return every text received or sent that is somebody's: tokens, addresses, ids, codes, names, bodies."""
        found: set[str] = set()
        for exchange in list(self.exchanges):
            found.update({exchange.bearer, exchange.path.rpartition("/api/v2/users/")[2], *exchange.query.values()})
            for body in (exchange.body, exchange.sent):
                found.add(body.decode("utf-8", "replace"))
                found.update(_texts(_content(body)))
        for mail in self.mails:
            found.update({mail.to, mail.code, mail.link})
        found.update({quote(text, safe="") for text in found if len(text) < 200})
        return {text for text in found if len(text) >= shortest and text not in {"v3", "true", "false"}}


def _content(body: bytes) -> object:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return dict(parse_qsl(text)) if "=" in text else None


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in _HARMLESS:
                yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)
    elif isinstance(content, str):
        yield content
