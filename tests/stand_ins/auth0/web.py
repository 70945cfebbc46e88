# SPDX-License-Identifier: MIT
"""A call on the tenant and its reply, free of any server; refusals in Auth0's two forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json; charset=utf-8"


@dataclass(slots=True)
class Reply:
    """What is sent back."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Ends the handling of a call with that reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(slots=True)
class Call:
    """A request as it came; `path` is the raw one, `segments` are decoded one by one."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    operation: str = ""
    query_text: str = ""

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
        """Take a request apart; dot segments are removed as any server does, encoded or not (RFC 3986, 6.2.2)."""
        path, _, query = target.partition("?")
        segments: list[str] = []
        for raw in path.split("/"):
            segment = unquote(raw)
            if segment == "..":
                del segments[-1:]
            elif segment not in {"", "."}:
                segments.append(segment)
        parameters = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        return cls(method, path, tuple(segments), parameters, headers, body, query_text=query)

    @property
    def bearer(self) -> str:
        """The token of the Authorization header, empty when there is none."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def is_form(self) -> bool:
        """Whether the body is form-encoded."""
        return self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")

    def fields(self) -> dict[str, Any]:
        """Return the body's fields, JSON object or form."""
        if self.is_form:
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            fields = json.loads(self.body or b"{}")
        except ValueError:
            raise api_refusal(400, "Payload validation error: 'Invalid JSON'.", "invalid_body") from None
        if not isinstance(fields, dict):
            raise api_refusal(400, "Payload validation error: 'Expected type object'.", "invalid_body")
        return fields


def json_reply(status: int, content: object, **headers: str) -> Reply:
    """Return a JSON reply."""
    return Reply(status, json.dumps(content).encode(), headers=headers)


_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


def api_error(status: int, message: str, code: str = "") -> Reply:
    """Return an error as the Management API sends it."""
    content = {"statusCode": status, "error": _REASONS.get(status, "Error"), "message": message}
    return json_reply(status, {**content, "errorCode": code} if code else content)


def api_refusal(status: int, message: str, code: str = "") -> Refusal:
    """Refuse in the form of the Management API."""
    return Refusal(api_error(status, message, code))


def oauth_refusal(status: int, error: str, description: str | None = None) -> Refusal:
    """Refuse in the form of the token endpoint (RFC 6749, section 5.2)."""
    content = {"error": error, "error_description": description}
    return Refusal(json_reply(status, {key: value for key, value in content.items() if value is not None}))
