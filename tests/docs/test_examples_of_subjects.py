# SPDX-License-Identifier: MIT
"""The example of every subject, as document and reference show it, is what the service answers."""

from __future__ import annotations

import json

import pytest
import yaml

from routers import subjects
from tests.docs.blocks import fits
from tests.support.transports import OverNats
from tests.support.worlds import MockWorld

ADA = {
    "username": "ada",
    "token": "ada-token",
    "primary_email": "ada@example.org",
    "password": "correct horse",
    "user_metadata": {"name": "Ada Lovelace", "city": "London", "country": "GB"},
    "identities": [
        {
            "provider": "google-oauth2",
            "identity_id": "1029",
            "email": "ada@gmail.example",
            "email_verified": True,
            "nickname": "ada",
            "name": "Ada Lovelace",
            "is_social": True,
        }
    ],
}
ALTERNATES = [{"email": "ada@lovelace.example", "verified": True}]
ELIDED = "eyJ…"
NEW = "ada@new.example"
SUBJECTS = [subject for subject in subjects() if subject.name != "impersonation.token_exchange"]
"""All that the mock has; tests/contract/test_auth0.py asks the tenant for the other one."""


@pytest.fixture
async def service(request, nats, tmp_path):
    world = MockWorld(tmp_path)
    with_alternates = {"alternate_emails": ALTERNATES} if "emails" in request.node.name else {}
    (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": [ADA | with_alternates]}), encoding="utf-8")
    async with OverNats.serving(world, nats.url) as transport:
        yield Service(world, transport)


class Service:
    """A service on the mock, and the codes that it has logged."""

    def __init__(self, world, transport):
        self._world, self._transport = world, transport

    async def ask(self, subject, body):
        payload = body if isinstance(body, str) else json.dumps(body)
        return (await self._transport.request(subject, payload.encode())).decode()

    async def code(self):
        await self.ask("email_linking.send_verification", NEW)
        return self._world.code_sent_to(NEW)

    async def prepared(self, subject):
        """The request of the example, with tokens and a code that are good."""
        text = json.dumps(subject.example.send, ensure_ascii=False)
        if subject.name == "email_linking.verify":
            text = text.replace("123456", await self.code())
        if subject.name == "user_identity.link":
            reply = await self.ask("email_linking.verify", {"email": NEW, "otp": await self.code()})
            proof = json.loads(reply)["data"]["id_token"]
            text = text.replace(f'"identity_token": "{ELIDED}"', f'"identity_token": "{proof}"')
        return json.loads(text.replace(ELIDED, "ada-token"))


def in_order(text):
    """JSON with its keys in alphabetical order; a text as it is."""
    return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False) if text.startswith("{") else text


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_the_example_is_answered_as_shown(service, subject):
    shown = subject.example.reply
    seen = await service.ask(subject.name, await service.prepared(subject))
    assert fits(shown if isinstance(shown, str) else in_order(json.dumps(shown)), in_order(seen)), seen
