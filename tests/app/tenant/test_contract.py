# SPDX-License-Identifier: MIT
"""The contract's Auth0 cases, on a tenant that the command made of nothing, with the variables that it prints."""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import asynccontextmanager
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from app.cli.tenant import run
from app.cli.tenant.run import Options
from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings import Settings
from providers.auth0 import auth0_provider
from tests.contract.test_auth0 import EXCHANGES, IMPERSONATOR, READS, SCOPED, TOKENS
from tests.support.auth0 import Auth0World
from tests.support.contract import TOKEN, Place
from tests.support.people import EVERYBODY, PASSWORD, ada, grace
from tests.support.transports import InMemory


class MadeWorld(Auth0World):
    """The people of the cases, in a tenant that is set up by the command."""

    def __init__(self, folder, capsys, monkeypatch):
        super().__init__(folder)
        self.tenant.reset(fixtures=False, bare=True)
        self.tenant.password_policy.shortest = 1
        for person in EVERYBODY:
            self._add(person)
        self._server.start()
        for name, value in {"AUTH0_DOMAIN": self.tenant.domain, "SSL_CERT_FILE": self.tenant.ca_file}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AUTH0_LFX_V2_API_AUDIENCE", "https://lfx-api.example/")
        monkeypatch.setenv("AUTH0_ADMIN_TOKEN", self.tenant.admin_token())
        key = folder / "m2m.pem"
        assert run.apply(Options(yes=True, new_key=key)) == 0
        monkeypatch.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
        capsys.readouterr()
        assert run.env(Options(), "env", secrets=True) == 0
        self.variables = dict(line.split("=", 1) for line in shlex.split(capsys.readouterr().out))
        self.tenant.tokens.profile_client = self.variables["AUTH0_LFX_PROFILE_CLIENT_ID"]

    def settings(self, url):
        aliases = {
            "ALLOWED_ALIAS_DOMAINS": "linux.com",
            "AUTH0_IMPERSONATION_AUDIENCES": "https://insights-api.example/",
        }
        with patch.dict(os.environ, {**self.variables, **aliases, "NATS_URL": url}):
            return Settings()

    @asynccontextmanager
    async def provider(self, settings):
        opening = auth0_provider(settings, UpstreamTelemetry(CollectorRegistry()), self.clock)
        async with opening as provider:
            async with asyncio.timeout(10):
                while any(provider.readiness().values()):  # noqa: ASYNC110 - it tells nobody when it is ready
                    await asyncio.sleep(0.005)
            yield provider

    def stop(self):
        self._server.stop()


async def followed(world):
    async with InMemory.serving(world, "nats://127.0.0.1:1") as service:
        place = Place(world, service)
        for case in [*READS, *EXCHANGES, *TOKENS[::7], *SCOPED]:
            await case.run(place)
        user = {"auth_token": TOKEN}
        done = [
            await place.ask("user_metadata.update", {"token": TOKEN, "user_metadata": {"city": "Oslo"}}),
            await place.ask("email_linking.send_verification", "new@new.example"),
            await place.ask(
                "email_linking.verify", {"email": "new@new.example", "otp": world.code_sent_to("new@new.example")}
            ),
        ]
        proof = {"identity_token": done[-1]["data"]["id_token"]}
        done += [
            await place.ask("user_identity.link", {"user": user, "link_with": proof}, grace),
            await place.ask("user_emails.set_primary", {"user": user, "email": "ada@lovelace.example"}),
            await place.ask("add_alias", {"user": user, "alias": "jane", "domain": "linux.com"}),
            await place.ask(
                "user_identity.unlink", {"user": user, "unlink": {"provider": "github", "identity_id": "4711"}}
            ),
            await place.ask(
                "password.update", {"token": TOKEN, "current_password": PASSWORD, "new_password": "n3w-Pass"}
            ),
            await place.ask("password.reset_link", {"token": TOKEN}),
            await place.ask(
                "impersonation.token_exchange", {"subject_token": IMPERSONATOR, "target_user": "grace.hopper"}, ada
            ),
        ]
        assert [one for one in done if one.get("success") is not True] == []
        assert await place.ask("email_to_username", "ada@lovelace.example") == "ada"
        assert await place.ask("username_to_sub", "ada") == "auth0|ada"


def test_the_service_works_on_a_tenant_that_was_made_of_nothing(tmp_path, capsys, monkeypatch):
    world = MadeWorld(tmp_path, capsys, monkeypatch)
    try:
        asyncio.run(followed(world))
    finally:
        world.stop()
