# SPDX-License-Identifier: MIT
"""Redaction of secrets and names in logs.

Any text can come from outside. So it is cut before it is read, and reading takes linear time. No pattern has two
repetitions that could share characters, and none tries the same run of characters from two places.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_TEXT: Final = 8 * 1024
"""Maximum number of characters shown of a text."""

MAX_SECRET: Final = 2 * 1024
"""Maximum number of characters of a known secret to search for. For a longer one, everything after them is masked."""

LOOKED_AT: Final = MAX_TEXT + MAX_SECRET + 1
"""Maximum number of characters read of a text."""

MAX_SECRETS: Final = 512
"""Maximum number of known secrets to search for; with more, nothing of a text is shown. A request's body has fewer."""

_MAX_FOUND: Final = 200
"""Maximum number of known secrets in a text; with more, nothing of it is shown."""

_SHOWN: Final = 3
_STARS: Final = "****"
_SHORTEST_SECRET: Final = 3
_REDACTED: Final = "[redacted]"
_LEFT_OUT: Final = "…"

_Span = tuple[int, int, str]
"""Begin and end of a masked part, and its replacement."""

_JWT: Final = re.compile(r"(?<![\w-])(?>[\w-]*?\b(?=eyJ))([\w-]++\.[\w-]*+(?:\.[\w-]*+)?)")
_AUTHELIA_TOKEN: Final = re.compile(r"\b(authelia_[a-z]++_[\w.~+/-]++)")
_BEARER: Final = re.compile(r"(?i)\b(?:bearer|basic)\s++([\w.~+/=-]{4,}+)")
_PEM: Final = re.compile(r"(-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z))", re.DOTALL)
_SEED: Final = re.compile(r"\b(S[ACNOUX][A-Z2-7]{54,}+\b)")
_URL_SECRET: Final = re.compile(r"(?<=://)([^\s/@]++)(?=@)")
_NAMED: Final = re.compile(
    r"""(?ix)(?:password|passwd|secret|token|otp|assertion|seed|authorization|api[_-]?key)["']?\s*+[=:]\s*+
    ("(?:\\[\s\S]|[^"\\])*+(?:"|\\?\Z)|'(?:\\[\s\S]|[^'\\])*+(?:'|\\?\Z)|\[\w++\][^\n,;&)}\]"']*+|[^\s,;&)}\]"'][^\n,;&)}\]"']*+)
    """
)
_TOKENS: Final = (
    (_PEM, "[key]"),
    (_JWT, "[token]"),
    (_AUTHELIA_TOKEN, "[token]"),
    (_SEED, "[key]"),
    (_BEARER, "[token]"),
)
_SHAPES: Final = (*_TOKENS, (_URL_SECRET, _REDACTED), (_NAMED, _REDACTED))

_TORN: Final = re.compile(r"(?<![\w-])(?>[\w-]*?\b(?=eyJ|authelia_|S[ACNOUX][A-Z2-7]))[\w-]++\Z")
"""Possible beginning of a token or key that was cut."""

_ADDRESS: Final = re.compile(r"(?<![^\s@<>()\[\],;:\"'=|])[^\s@<>()\[\],;:\"'=|]++@[^\s@<>()\[\],;:\"'|]++")
_SUBJECT: Final = re.compile(r"(?<=[\w-]\|)(?!\[(?:redacted|token|key)\])[^\s\"',;)}\]]++")
# The same two in URLs, percent-encoded; `%3A`, `%20`, `%22` and `%2F` end a name as their characters do.
_ENCODED_ADDRESS: Final = re.compile(
    r"((?:[\w.~+!$*-]|%(?!40|3A|20|22|2F)[0-9A-F]{2})++)(%40(?=[\w.-]))?", re.IGNORECASE
)
_ENCODED_SUBJECT: Final = re.compile(r"(?<=[\w-]%7C)(?:[\w.~*-]|%[0-9A-F]{2})++", re.IGNORECASE)
_HALF: Final = re.compile(r"%[0-9A-Fa-f]?\*{4}\Z")
_UUID: Final = re.compile(r"\b([0-9a-f]{3})[0-9a-f]{5}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_CODE: Final = re.compile(r"(?<![\w.-])(?<!\d:)\d{6}(?![.:-]*+\w)")
_LAST_WORD: Final = re.compile(r"(?<!\S)\S++\Z")


def redact_email(address: str) -> str:
    """Return `joh****@example.org` for `john@example.org`. Names of up to three characters show less."""
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


def _masked_encoded(text: str) -> str:
    return _HALF.sub(_STARS, _masked(text))


def redact_tokens(text: str, most: int = MAX_TEXT) -> str:
    """Return the first `most` characters of `text` with tokens and keys masked, but not names.

    A token that is cut at that point is masked too.
    """
    shown = text[:most]
    shown = "".join(_pieces(shown, _found(shown, _TOKENS)))
    if len(text) > most:
        shown = _TORN.sub("[token]", shown)
    return shown if len(text) <= most or shown.endswith("[token]") else shown + _LEFT_OUT


def redact(text: str, secrets: Iterable[str] = (), most: int = MAX_TEXT) -> str:
    """Return the first `most` characters of `text`. Everything that looks like a secret or a person's name is masked.

    `secrets` are known secrets, for example the values of the failed request. Secrets shorter than three characters are
    ignored. The search is in `text` itself, never in replacements. If the text is cut, the cut word is left out,
    because its content is unknown.
    """
    cut = len(text) > most
    text = text[: most + MAX_SECRET]
    spans = [*_found(text, _SHAPES), *_known(text, secrets)]
    pieces = [*_pieces(text[:most], spans)]
    if cut:
        # Every second piece stands instead of something, the last never.
        pieces[-1] = _LAST_WORD.sub("", pieces[-1]) + _LEFT_OUT
    return _without_names("".join(pieces))


def _known(text: str, secrets: Iterable[str]) -> list[_Span]:
    """Find known secrets, wherever one begins; where there are too many, all of the text is one."""
    found: list[_Span] = []
    known = [*islice((s for s in secrets if len(s) >= _SHORTEST_SECRET), MAX_SECRETS + 1)]
    if len(known) > MAX_SECRETS:
        return [(0, len(text), _REDACTED)]
    for secret in known:
        beginning = secret[:MAX_SECRET]
        length = len(secret) if len(secret) <= MAX_SECRET else len(text)
        at = text.find(beginning)
        while at >= 0:
            found.append((at, at + length, _REDACTED))
            if len(found) > _MAX_FOUND:
                return [(0, len(text), _REDACTED)]
            at = text.find(beginning, at + 1)
    return found


def _found(text: str, shapes: Iterable[tuple[re.Pattern[str], str]]) -> list[_Span]:
    return [(*match.span(1), word) for pattern, word in shapes for match in pattern.finditer(text)]


def _pieces(text: str, spans: list[_Span]) -> Iterator[str]:
    """Yield what is shown of `text`: a part of it and what stands for the span behind it, in turn; a part at the end.

    Spans that share characters are one, which is `[redacted]` when they are of several kinds.
    """
    end, instead = 0, ""
    for start, stop, word in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= len(text):
            break
        if start >= end:
            if instead:
                yield instead
            yield text[end:start]
            end, instead = stop, word
        else:
            end, instead = max(end, stop), word if word == instead else _REDACTED
    if instead:
        yield instead
    yield text[end:]


def _without_names(text: str) -> str:
    text = _SUBJECT.sub(lambda m: _masked(m[0]), text)
    text = _ADDRESS.sub(lambda m: redact_email(m[0]), text)
    if "%" in text:
        text = _ENCODED_ADDRESS.sub(lambda m: _masked_encoded(m[1]) + m[2] if m[2] else m[0], text)
        text = _ENCODED_SUBJECT.sub(lambda m: _masked_encoded(m[0]), text)
    text = _UUID.sub(rf"\1{_STARS}", text)
    return _CODE.sub("[code]", text)
