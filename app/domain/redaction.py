# SPDX-License-Identifier: MIT
"""What may be logged of a secret or of somebody's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN: Final = 3
_STARS: Final = "****"
_SHORTEST_SECRET: Final = 3

_JWT: Final = re.compile(r"\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)?")
_AUTHELIA_TOKEN: Final = re.compile(r"\bauthelia_[a-z]+_[\w.~+/-]+")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}")
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL)
_SEED: Final = re.compile(r"\bS[ACNOUX][A-Z2-7]{54,}\b")
_URL_SECRET: Final = re.compile(r"(?<=://)[^\s/@]+(?=@)")
_NAMED: Final = re.compile(
    r"""(?ix)(["']?\b[\w-]*(?:password|passwd|secret|token|otp|assertion|seed|authorization|api[_-]?key)["']?\s*[=:]\s*)
    ("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\w+\]|[^\s,;&)}\]"'][^\n,;&)}\]"']*)"""
)
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\],;:\"'=|]+@[^\s@<>()\[\],;:\"'|]+")
_SUBJECT: Final = re.compile(r"\b([A-Za-z][\w-]*)\|([^\s\"',;)}\]]+)")
# The same two in URLs, percent-encoded; `%3A`, `%20`, `%22` and `%2F` end a name as their characters do.
_ENCODED_ADDRESS: Final = re.compile(r"((?:[\w.~+!$*-]|%(?!40|3A|20|22|2F)[0-9A-F]{2})+)(?=%40[\w.-])", re.IGNORECASE)
_ENCODED_SUBJECT: Final = re.compile(r"(\b[A-Za-z][\w-]*%7C)((?:[\w.~-]|%[0-9A-F]{2})+)", re.IGNORECASE)
_UUID: Final = re.compile(r"\b([0-9a-f]{3})[0-9a-f]{5}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_CODE: Final = re.compile(r"(?<![\w.-])(?<!\d:)\d{6}(?![\w.:-]*\w)")


def redact_email(address: str) -> str:
    """Return `joh****@example.org` for `john@example.org`; of a name of up to three characters less."""
    local, _, domain = address.rpartition("@")
    return f"{_masked(local)}@{domain}"


def redact_subject(subject: str) -> str:
    """Return `auth0|joh****` for `auth0|john`."""
    provider, bar, identity = subject.partition("|")
    return f"{provider}|{_masked(identity)}" if bar else _masked(subject)


def _masked(text: str) -> str:
    if text.endswith(_STARS):
        return text
    return (text[:_SHOWN] if len(text) > _SHOWN else text[: len(text) // 2]) + _STARS


def redact_tokens(text: str) -> str:
    """Return `text` with tokens and keys masked, and nobody's name."""
    text = _PEM.sub("[key]", text)
    text = _JWT.sub("[token]", text)
    text = _AUTHELIA_TOKEN.sub("[token]", text)
    text = _SEED.sub("[key]", text)
    return _BEARER.sub(r"\1 [token]", text)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with everything masked that looks like a secret or names a person.

    `secrets` are strings known to be such, for example the values of the request that failed; of these, what is
    shorter than three characters is left alone.
    """
    for secret in sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    text = _URL_SECRET.sub("[redacted]", redact_tokens(text))
    text = _NAMED.sub(r"\1[redacted]", text)
    text = _SUBJECT.sub(lambda m: f"{m[1]}|{_masked(m[2])}", text)
    text = _ADDRESS.sub(lambda m: redact_email(m[0]), text)
    text = _ENCODED_ADDRESS.sub(lambda m: _masked(m[1]), text)
    text = _ENCODED_SUBJECT.sub(lambda m: f"{m[1]}{_masked(m[2])}", text)
    text = _UUID.sub(rf"\1{_STARS}", text)
    return _CODE.sub("[code]", text)
