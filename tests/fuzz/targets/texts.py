# SPDX-License-Identifier: MIT
"""Redaction, addresses and what is like them, values in paths and searches."""

from __future__ import annotations

import contextlib
from urllib.parse import unquote

from app.domain import aliases, metadata, spellings, subject_ids
from app.domain.addresses import parse_address
from app.domain.errors import InvalidEmail, ServiceError
from app.domain.halves import is_unicode
from app.domain.redaction import MAX_TEXT, redact, redact_email, redact_subject, redact_tokens
from providers.auth0.tenant.escaping import UnsafeSegment, phrase, segment
from providers.authelia.storage import kv, records

POLICY = aliases.AliasPolicy(frozenset({"linux.com"}))
KNOWN = "QZXQZXQZXQ"
TOKEN = "authelia_at_QZXQZXQZXQZXQZXQZXQZXQZX"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def redaction(data: bytes) -> None:
    """The first line holds what is known, separated by tabs; what is planted behind the rest is never shown."""
    known, _, text = _text(data).partition("\n")
    secrets = [KNOWN, *known.split("\t")]
    for shown in (redact(text, secrets), redact_tokens(text)):
        assert len(shown) <= 2 * MAX_TEXT
    # Whatever stands before it, and is cut to leave room.
    before = text[: MAX_TEXT // 2]
    assert KNOWN not in redact(f"{before} {TOKEN}", secrets)
    assert KNOWN not in redact(f"{before}{KNOWN}{before[:100]}", secrets)
    redact_email(text)
    redact_subject(text)


def addresses(data: bytes) -> None:
    text = _text(data)
    with contextlib.suppress(InvalidEmail):
        address = parse_address(text, InvalidEmail)
        assert parse_address(address, InvalidEmail) == address
        assert len(address) <= 254
        assert address.encode()
        assert spellings.same(address, address)
        for form in spellings.forms(address):
            assert spellings.same(form, address), form
    compared = spellings.comparable(text)
    assert spellings.comparable(compared) == compared
    for judge in (POLICY.covers, POLICY.domain, POLICY.local_part):
        with contextlib.suppress(ServiceError):
            judge(text)
    for judged in (kv.is_legal_key(text), records.is_username(text), is_unicode(text)):
        assert isinstance(judged, bool)
    if is_unicode(text):
        assert subject_ids.derive(text)
    assert len(metadata.tidy_skills(text)) <= 2_000
    metadata.tidy({"bio": text, "skills": text, "city": text})


def search(data: bytes) -> None:
    text = _text(data)
    quoted = phrase(text)
    assert (quoted[0], quoted[-1]) == ('"', '"')
    assert _meant(quoted[1:-1]) == text
    with contextlib.suppress(UnsafeSegment):
        path = segment(text)
        assert unquote(path) == text
        assert not set(path) & set("/?#;%\\ ") - {"%"}


def _meant(inside: str) -> str:
    """Return what a phrase stands for: a backslash takes the next character's meaning, a quote would end it."""
    characters = iter(inside)
    meant = []
    for character in characters:
        assert character != '"'
        meant.append(next(characters) if character == "\\" else character)
    return "".join(meant)
