# SPDX-License-Identifier: MIT
"""Puts tokens of the users of a running `auth-service dev` into a request: where it has its caller, or for `@name`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import InvalidToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.bus.subjects import Subject

_MARK: Final = "@"
_WAYS: Final = (("user", "auth_token"), ("token",), ("subject_token",))
"""Where in a JSON request the caller's token stands."""


class NoPlace(Exception):
    """The token cannot be put into the request; the message says why."""


def as_user(subject: Subject, body: bytes, token: str) -> bytes:
    """Return the body with the caller's token in its place. Raises NoPlace."""
    if InvalidToken not in subject.errors:
        raise NoPlace(f"{subject.name} takes no token")
    if subject.request is None:
        if body.strip():
            raise NoPlace(f"the body of {subject.name} is the token: leave it out")
        return token.encode()
    content = _object(body.strip() or b"{}")
    if content is None:
        raise NoPlace(f"the body of {subject.name} must be a JSON object")
    (way,) = (way for way in _WAYS if way[0] in subject.request.model_fields)
    place = content
    for name in way[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise NoPlace(f"{name} must be a JSON object")
    if place.get(way[-1]):
        raise NoPlace(f"there is a token in the body already, in {'.'.join(way)}")
    place[way[-1]] = token
    return json.dumps(content, ensure_ascii=False).encode()


def with_tokens(body: bytes, tokens: Mapping[str, str]) -> bytes:
    """Return the body with a token for every text that is `@` and a name that is known; otherwise as it is."""
    text = body.strip()
    if (known := _named(text.decode("utf-8", "replace"), tokens)) is not None:
        return known.encode()
    content = _object(text)
    if content is None:
        return body
    changed = _replaced(content, tokens)
    return body if changed == content else json.dumps(changed, ensure_ascii=False).encode()


def _named(text: str, tokens: Mapping[str, str]) -> str | None:
    return tokens.get(text[1:]) if text.startswith(_MARK) else None


def _replaced(value: Any, tokens: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _replaced(inner, tokens) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, tokens) for inner in value]
    token = _named(value, tokens) if isinstance(value, str) else None
    return value if token is None else token


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
