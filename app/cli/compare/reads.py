# SPDX-License-Identifier: MIT
"""The requests: the six subjects that only read, and how a line of a file becomes requests to them.

Nothing else can be sent: whoever sends takes a `Request`, and there is none of another subject.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BODY: Final = 64 * 1024
"""Bytes of a request that is repeated, and of a line that is read. A token has 16 KiB at most."""

_TOKENS: Final = ("eyj", "authelia_", "bearer ")
"""How tokens begin, in lower case."""
_BEGINNING: Final = 16


class Read(StrEnum):
    """A subject that changes nothing, neither here nor at the provider."""

    EMAIL_TO_USERNAME = "email_to_username"
    EMAIL_TO_SUB = "email_to_sub"
    USERNAME_TO_SUB = "username_to_sub"
    METADATA = "user_metadata.read"
    EMAILS = "user_emails.read"
    IDENTITIES = "user_identity.list"


READS: Final = {read.value: read for read in Read}
BY_ADDRESS: Final = (Read.EMAIL_TO_USERNAME, Read.EMAIL_TO_SUB)
BY_REFERENCE: Final = (Read.METADATA, Read.EMAILS, Read.IDENTITIES)
_JSON: Final = (Read.EMAILS, Read.IDENTITIES)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to both services; the same bytes go to each."""

    read: Read
    body: bytes

    @property
    def given(self) -> str:
        """Who is asked about, for masking it wherever it turns up; the empty string where nobody can tell."""
        text = self.body.decode("utf-8", "replace")
        if self.read not in _JSON:
            return text.strip()
        try:
            value = json.loads(text)["user"]["auth_token"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return value.strip() if isinstance(value, str) else ""


def requests_for(line: bytes) -> Iterator[Request]:
    """Yield the requests that a line stands for: an address, a username, a subject identifier or a token."""
    value = line.strip()
    if not value:
        return
    text = value.decode("utf-8", "replace")
    for read in _reads_for(text):
        if read in _JSON:
            yield Request(read, json.dumps({"user": {"auth_token": text}}).encode())
        else:
            yield Request(read, value)


def _reads_for(text: str) -> tuple[Read, ...]:
    if text[:_BEGINNING].lower().startswith(_TOKENS) or "|" in text:
        return BY_REFERENCE
    if "@" in text:
        return BY_ADDRESS
    return (Read.USERNAME_TO_SUB, *BY_REFERENCE)
