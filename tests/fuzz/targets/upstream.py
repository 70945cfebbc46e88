# SPDX-License-Identifier: MIT
"""What identity providers, userinfo, storage and Kubernetes answer."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import Any

from app.domain.errors import ServiceError
from providers.auth0 import impersonation
from providers.auth0.mapping import UserReader, to_user
from providers.auth0.odd_fields import Oddities
from providers.auth0.tenant.answers import Answer, BrokenAnswer
from providers.auth0.tenant.limiter import told_pause
from providers.authelia import callers
from providers.authelia.cluster import kubernetes
from providers.authelia.storage import records, social

HEADERS = ("date", "retry-after", "x-ratelimit-reset", "content-type")


class Uncounted:
    def odd(self, field: str) -> None:
        assert field


NOBODY_COUNTS: Any = Uncounted()


def _sayable(thing: Any) -> None:
    """What is told to callers is JSON in UTF-8."""
    assert json.dumps(thing, ensure_ascii=False).encode()


def answers(data: bytes) -> None:
    """The first line is a header's value, the rest the body, as it is and as a member of what is expected."""
    value, _, body = data.partition(b"\n")
    headers = dict.fromkeys(HEADERS, value.decode("latin-1"))
    pause = told_pause(headers, 1_900_000_000.0)
    assert pause is None or pause >= 0
    wrapped = b'{"user_id":"auth0|a","identities":[' + body + b'],"user_metadata":' + (body or b"null") + b"}"
    for content in (body, wrapped, b"[" + body + b"]"):
        answer = Answer(200, headers, content)
        _of_a_tenant(answer)
        _of_userinfo(content)
        _record(content)


def _of_a_tenant(answer: Answer) -> None:
    reader = UserReader(Oddities(NOBODY_COUNTS))
    with contextlib.suppress(ServiceError, BrokenAnswer):
        _sayable(asdict(to_user(reader.one(answer, "auth0|known"))))
    with contextlib.suppress(ServiceError, BrokenAnswer):
        for user in reader.all(answer):
            _sayable(asdict(to_user(user)))
    assert isinstance(answer.text_of("error"), str)
    refused = impersonation._refusal(Answer(403, answer.headers, answer.body))  # noqa: SLF001 - the reader
    assert refused.wire.isprintable()


def _of_userinfo(content: bytes) -> None:
    for status in (200, 403):
        with contextlib.suppress(ServiceError, BrokenAnswer):
            username, subject = callers._understood(status, "", content)  # noqa: SLF001 - the reader
            assert username
            _sayable([username, subject])


def _record(content: bytes) -> None:
    record = records.parse(content)
    if record is None:
        return
    user = records.user("ada", record)
    assert user.user_id
    for changed in (
        records.with_verified(record, records.address("new@example.org")),
        records.without_alternate(record, records.address("new@example.org")),
        social.without_social(record, "google-oauth2", "1"),
    ):
        assert records.user("ada", changed).user_id == user.user_id
    assert isinstance(kubernetes.part(record, "spec", "template"), dict)
    assert isinstance(kubernetes.restarted_at(record), str)
