# SPDX-License-Identifier: MIT
"""A users file of the mock with names that YAML takes for something else, asked for over NATS."""

from __future__ import annotations

import json

import nats as nats_py
import pytest

from app.main import running
from app.settings import HttpSettings, MockSettings, NatsSettings, Settings

FILE = """\
users:
  - username: {text}
    user_id: auth0|{text}
    token: {text}
    primary_email: u@example.org
    user_metadata:
      name: {text}
    identities:
      - provider: github
        identity_id: {text}
"""


@pytest.mark.parametrize("text", ["007", "0x1F", "1_000", "12:30:45", "1.10", "true"])
async def test_what_stands_in_the_file_is_what_is_answered(nats, tmp_path, text):
    file = tmp_path / "users.yaml"
    file.write_text(FILE.format(text=text))
    settings = Settings(
        NatsSettings(servers=(nats.url,)), MockSettings(users_file=file), HttpSettings(port=0, bind="127.0.0.1")
    )
    async with running(settings) as service, await nats_py.connect(nats.url) as client:
        await service.broker.start()

        async def ask(subject: str, body: str) -> str:
            return (await client.request(f"lfx.auth-service.{subject}", body.encode(), timeout=60)).data.decode()

        assert await ask("email_to_username", "u@example.org") == text
        assert await ask("email_to_sub", "u@example.org") == f"auth0|{text}"
        for who in (text, f"auth0|{text}"):
            assert json.loads(await ask("user_metadata.read", who))["data"] == {"name": text}
        listed = json.loads(await ask("user_identity.list", json.dumps({"user": {"auth_token": text}})))
        assert listed["data"][0]["user_id"] == text
