# SPDX-License-Identifier: MIT
"""Authelia's world: stand-ins on real sockets, storage with the people of the cases, and the provider on them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import nats
import nats.js.errors
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from nats.js.api import KeyValueConfig, StorageType
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from app.bus.nats.client import ReconnectingClient
from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings import NatsSettings, Settings
from app.settings.authelia import AutheliaSettings, EmailSettings
from providers import Dependencies
from providers.authelia import authelia_provider
from providers.authelia.cluster.api import Api
from providers.authelia.cluster.pace import Pace
from providers.authelia.storage.records import email_key, subject_key
from tests.stand_ins.kubernetes import Kubernetes
from tests.stand_ins.smtp import MailServer
from tests.stand_ins.userinfo import Userinfo
from tests.support.basics import ALIASES, DEFAULTS, Clock, unsigned
from tests.support.people import EVERYBODY, Person, lukasz, nobody, sam
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

    from app.domain.ports import Provider

BUCKETS = ("authelia-users", "authelia-email-otp", "authelia-otp-ledger", "authelia-claims", "authelia-signing-key")
_NO_STORE = 10049
"""What JetStream says when the files of a stream cannot be made."""
ABSENT = (lukasz, sam)
"""Whose username, or its lack, can be no key of a record."""
PEOPLE = tuple(person for person in EVERYBODY if person not in ABSENT)


@cache
def signing_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def record(person: Person) -> dict[str, Any]:
    """Return the person's record, as the service before this one wrote it."""
    return {
        "username": person.username,
        "email": person.primary_email,
        "displayname": str(person.metadata.get("name", person.username)),
        "user_metadata": person.metadata,
        "alternate_email": [vars(alternate) for alternate in person.alternates],
        "identities": [{**vars(social), "connection": social.provider, "is_social": True} for social in person.social],
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
        "later": {"kept": True},
    }


async def without_buckets(js: JetStreamContext) -> None:
    for bucket in BUCKETS:
        with suppress(nats.js.errors.NotFoundError):
            await js.delete_stream(f"KV_{bucket}")


async def _created(js: JetStreamContext, config: KeyValueConfig) -> KeyValue:
    """Make a bucket; while the server still removes the files of one of that name, it cannot be made."""
    for pause in (0.1, 0.5, 2.0):
        try:
            return await js.create_key_value(config)
        except nats.js.errors.ServerError as error:
            if error.err_code != _NO_STORE:
                raise
            await asyncio.sleep(pause)
    return await js.create_key_value(config)


async def populated(js: JetStreamContext, people: tuple[Person, ...] = PEOPLE, replicas: int = 1) -> None:
    """Fill the bucket of users with what stands there of these people."""
    config = KeyValueConfig(bucket="authelia-users", history=5, storage=StorageType.FILE, replicas=replicas)
    kv = await _created(js, config)
    for person in people:
        await kv.put(person.username, json.dumps(record(person)).encode())
    for person in reversed(people):
        verified = [alternate.email for alternate in person.alternates if alternate.verified]
        for address in verified:
            await kv.put(email_key(address), person.username.encode())
        await kv.put(subject_key(person.subject), person.username.encode())
    for person in people:
        if person.primary_email:
            await kv.put(email_key(person.primary_email), person.username.encode())


def users_file(people: tuple[Person, ...] = PEOPLE) -> str:
    users = {p.username: {"displayname": p.username, "password": "$2b$x", "email": p.primary_email} for p in people}
    return yaml.safe_dump({"users": users})


class Stage:
    """The stand-ins, ready to be asked, beside the nats-server at `url`."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.userinfo, self.kubernetes, self.mail = Userinfo(), Kubernetes(), MailServer()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Stage]:
        async with self.userinfo.serving(), self.kubernetes.serving(), self.mail.serving():
            yield self

    def settings(self, **authelia: Any) -> Settings:
        # Only a test's own key is looked at: to read one takes a good part of the time of a short test.
        key = {} if "signing_key" in authelia else {"signing_key": SecretStr(signing_key())}
        values = {"userinfo_url": self.userinfo.url, **authelia}
        return Settings(
            *DEFAULTS,
            NatsSettings(servers=(self.url,)),
            AutheliaSettings(**values).model_copy(update=key),
            EmailSettings(host="127.0.0.1", port=self.mail.port, from_name="Platform"),
        )

    def api(self, namespace: str) -> Api:
        return Api(url=self.kubernetes.url, namespace=namespace)

    @asynccontextmanager
    async def replica(
        self, settings: Settings | None = None, now: Any = time.time, reconnect: float = 0.05, **pace: float
    ) -> AsyncIterator[Provider]:
        """A replica's provider, on a connection of its own."""
        settings = settings or self.settings()
        client = ReconnectingClient()
        await client.connect([self.url], max_reconnect_attempts=-1, reconnect_time_wait=reconnect)
        dependencies = Dependencies(nats=client, upstream=UpstreamTelemetry(CollectorRegistry()))
        try:
            async with authelia_provider(
                settings,
                dependencies,
                now=now,
                kubernetes=self.api,
                pace=Pace(**{"gather": 0.05, "call": 15.0, "hash_cost": 4, **pace}),
            ) as provider:
                yield provider
        finally:
            await client.close()


class AutheliaWorld:
    """Authelia, with stand-ins for all that stands around it."""

    name = "authelia"
    absent = ABSENT
    expired_error = "invalid token"
    """Userinfo knows good tokens and others; it does not say why."""

    def __init__(self, _: Any) -> None:
        self.clock = Clock()
        self.stage = Stage()
        for person in (*EVERYBODY, nobody):
            claims = {"preferred_username": person.username, "sub": person.subject}
            self.stage.userinfo.claims[self.token(person)] = claims

    def settings(self, url: str) -> Settings:
        return Settings(*DEFAULTS, NatsSettings(servers=(url,)), ALIASES)

    @asynccontextmanager
    async def provider(self, settings: Settings) -> AsyncIterator[Provider]:
        url = settings.nats.servers[0]
        async with AsyncExitStack() as stack:
            # Nothing here speaks TLS, and to read all authorities that the machine trusts takes a while.
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", os.devnull)
            await stack.enter_async_context(self.stage.serving())
            self.stage.kubernetes.file = users_file()
            client = await connect(url)
            stack.push_async_callback(client.close)
            await without_buckets(client.jetstream())
            await populated(client.jetstream())
            self.stage.url = url
            trusting = self.stage.settings(trust_unverified_identity_tokens=True)
            yield await stack.enter_async_context(self.stage.replica(trusting, self.clock))

    def token(self, person: Person) -> str:
        return f"authelia_at_{person.username.encode().hex() or 'sam'}"

    def jwt(self, person: Person) -> str:
        return self.token(person)

    def expired(self, person: Person) -> str:
        return f"authelia_at_expired_{person.username.encode().hex()}"

    def identity_token(self, subject: object, **claims: object) -> str:
        return unsigned({"sub": subject, **claims})

    def code_sent_to(self, redacted: str) -> str:
        head, _, domain = redacted.partition("****")
        recipients = [mail.recipients[0] for mail in self.stage.mail.mails]
        return self.stage.mail.code([to for to in recipients if to.startswith(head) and to.endswith(domain)][-1])
