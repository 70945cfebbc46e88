# SPDX-License-Identifier: MIT
"""The service itself on Authelia, with the rights that deploy/nats/accounts.conf gives it and no more."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest

from tests.stand_ins.authelia import authelia_process
from tests.support.accounts import accounts
from tests.support.waiting import until
from tests.system.processes import process

PREFIX = "lfx.auth-service."
TOKEN = "authelia_at_ada"
USER = {"auth_token": TOKEN}


@pytest.fixture
def bus(tmp_path):
    with accounts(tmp_path) as bus:
        yield bus


@pytest.fixture
def stand_ins():
    with authelia_process() as stand_ins:
        yield stand_ins


def _service(bus, stand_ins, folder):
    return process(
        bus.url,
        folder,
        USER_REPOSITORY_TYPE="authelia",
        NATS_NKEY_SEED=bus.seeds["AUTH_SERVICE_AUTHELIA"],
        AUTHELIA_OIDC_USERINFO_URL=stand_ins.userinfo,
        EMAIL_SMTP_HOST="127.0.0.1",
        EMAIL_SMTP_PORT=str(stand_ins.mail_port),
        KUBECONFIG=stand_ins.kubeconfig,
    )


def _until_people_are_there(service):
    """Wait for the first synchronisation, which brings the people of the users file into storage."""
    service.until(lambda: service.get("/readyz?verbose")[1] == "nats: ok\nstorage: ok\nsigning key: ok\nkubernetes: ok")


def _page(stand_ins, name):
    with urllib.request.urlopen(f"{stand_ins.control}/{name}", timeout=10) as reply:
        return reply.read().decode()


async def _ask(client, name, **members):
    reply = json.loads((await client.request(PREFIX + name, json.dumps(members).encode(), timeout=60)).data)
    assert reply["success"], reply
    return reply


async def test_a_change_is_kept_over_a_restart_and_nothing_is_refused(bus, stand_ins, tmp_path):
    async with bus.user("LFX_ONE") as (client, refused), bus.user("V1_SYNC") as (follower, _):
        events = await follower.subscribe("lfx.user_profile.updated")
        await follower.flush()
        # The first makes the buckets, the other finds them.
        with _service(bus, stand_ins, tmp_path) as service:
            _until_people_are_there(service)
            assert "ada@example.org" in json.dumps(await _ask(client, "user_emails.read", user={"auth_token": "ada"}))
            await _ask(client, "user_metadata.update", token=TOKEN, user_metadata={"city": "Oslo"})
            assert json.loads((await events.next_msg(timeout=60)).data)["user_metadata"]["city"] == "Oslo"
            assert service.end() == 0
        with _service(bus, stand_ins, tmp_path) as again:
            again.until_ready()
            kept = json.loads((await client.request(PREFIX + "user_metadata.read", b"ada", timeout=60)).data)
            assert kept["data"]["city"] == "Oslo"
            assert again.end() == 0
        assert "permissions violation" not in f"{service.log.read_text()}{again.log.read_text()}".lower()
        assert (refused, bus.violations()) == ([], [])


async def test_the_whole_way_from_the_code_to_the_users_file_needs_no_other_rights(bus, stand_ins, tmp_path):
    new = "ada@new.example"
    async with bus.user("LFX_ONE") as (client, refused):
        with _service(bus, stand_ins, tmp_path) as service:
            _until_people_are_there(service)
            await client.request(PREFIX + "email_linking.send_verification", new.encode(), timeout=60)
            code = re.search(r"^ +(\d{6})\s*$", _page(stand_ins, "mails"), re.MULTILINE)[1]
            token = (await _ask(client, "email_linking.verify", email=new, otp=code))["data"]["token"]
            await _ask(client, "user_identity.link", user=USER, link_with={"identity_token": token})
            await _ask(client, "user_emails.set_primary", user=USER, email=new)
            await until(lambda: f"email: {new}" in _page(stand_ins, "users_database.yml"))
            assert service.end() == 0
        assert (refused, bus.violations()) == ([], [])


async def test_with_the_rights_of_the_other_providers_it_is_refused_its_buckets(bus, stand_ins, tmp_path):
    bus.seeds["AUTH_SERVICE_AUTHELIA"] = bus.seeds["AUTH_SERVICE"]
    with _service(bus, stand_ins, tmp_path) as service:
        service.until(lambda: "storage: ok" not in service.get("/readyz?verbose")[1] and bus.violations())
        service.until(lambda: "permissions violation" in service.log.read_text().lower())
        assert service.get("/readyz")[0] == 503
