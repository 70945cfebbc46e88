# SPDX-License-Identifier: MIT
"""Impersonation on the wire: no provider has it yet, so one is given it here."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from faststream.nats import TestNatsBroker

from app.domain.errors import InvalidToken
from app.main import create_broker
from app.observability.telemetry import Telemetry
from app.settings import NatsSettings, Settings
from providers.mock import mock_provider

MALFORMED = {"success": False, "error": "invalid request"}


class Exchange:
    """Lets the owner of the token `good` be anybody."""

    audiences = frozenset(("https://api.example/", "https://other.example/"))

    async def subject_of(self, subject_token: str) -> str:
        if subject_token != "good":
            raise InvalidToken
        return "auth0|ada"

    async def permit(self, subject_token: str) -> None:
        pass

    async def exchange(self, _: str, target_user: str, audience: str) -> str:
        return f"token of {target_user} for {audience or 'the platform'}"


CASES = [
    (b"", MALFORMED),
    (b"[]", MALFORMED),
    (b'{"subject_token": 5}', MALFORMED),
    (b'{"subject_token": "x", "target_user": {}}', MALFORMED),
    (b"{}", {"success": False, "error": "subject_token is required"}),
    (b'{"subject_token": null, "target_user": "ada"}', {"success": False, "error": "subject_token is required"}),
    (b'{"subject_token": "bad"}', {"success": False, "error": "target_user is required"}),
    (b'{"subject_token": "bad", "target_user": " "}', {"success": False, "error": "target_user is required"}),
    (b'{"subject_token": "bad", "target_user": "ada"}', {"success": False, "error": "invalid token"}),
    (
        b'{"subject_token": "Bearer good", "target_user": "ada@example.org"}',
        {"success": True, "data": {"access_token": "token of ada@example.org for the platform"}},
    ),
    *(
        (
            b'{"subject_token": "good", "target_user": "ada", "audience": %s}' % nothing,
            {"success": True, "data": {"access_token": "token of ada for the platform"}},
        )
        for nothing in (b"null", b'""', b'" "')
    ),
    (
        b'{"subject_token": "good", "target_user": "ada", "audience": "https://other.example/"}',
        {"success": True, "data": {"access_token": "token of ada for https://other.example/"}},
    ),
    (b'{"subject_token": "good", "target_user": "ada", "audience": 5}', MALFORMED),
    (b'{"subject_token": "good", "target_user": "ada", "audience": ["https://other.example/"]}', MALFORMED),
    (
        b'{"subject_token": "bad", "target_user": "", "audience": "https://elsewhere.example/"}',
        {"success": False, "error": "target_user is required"},
    ),
    (
        b'{"subject_token": "bad", "target_user": "ada", "audience": "https://elsewhere.example/"}',
        {"success": False, "error": "audience not allowed"},
    ),
]


@pytest.mark.parametrize(("body", "reply"), CASES, ids=str)
async def test_impersonation(body, reply):
    settings = Settings(NatsSettings(servers=("nats://127.0.0.1:1",)))
    provider = replace(mock_provider(settings), impersonation=Exchange())
    broker = create_broker(settings, provider, Telemetry(version="0", provider="mock"))
    async with TestNatsBroker(broker):
        answered = await broker.request(body, "lfx.auth-service.impersonation.token_exchange", timeout=30)
    assert json.loads(answered.body) == reply
