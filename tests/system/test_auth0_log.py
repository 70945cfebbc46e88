# SPDX-License-Identifier: MIT
"""The process on the Auth0 tenant, logging all it can: nothing that the tenant received or sent stands in its log.

Nothing means every text of every body, path, query and bearer: tokens, assertions, secrets, passwords, codes,
addresses, ids, names, and the words of refusals. Left out are those that belong to nobody: client ids, names of
connections, grant types, scopes, audiences, key ids and error codes, which stand in the tenant's public set-up or in
its documentation.
"""

from __future__ import annotations

import json

import pytest

from routers import subjects
from tests.providers.auth0.bus import Bus
from tests.providers.auth0.test_bus_faults import FAULTS, WRITES, reads, writes
from tests.stand_ins.auth0 import auth0_tenant
from tests.support.raw_client import connect
from tests.system.processes import process

SETTINGS = {
    "ALLOWED_ALIAS_DOMAINS": "linux.com",
    "REQUEST_TIMEOUT": "1s",
    "LOG_LEVEL": "debug",
    "LOG_ADD_SOURCE": "true",
}


@pytest.fixture
def server():
    with auth0_tenant() as server:
        yield server


def more(tenant):
    """Requests of the subjects that the faults' reads and writes leave out, and tokens that attack."""
    return {
        "username_to_sub": "grace.hopper",
        "email_to_sub nobody": "nobody-at-all@example.org",
        **{f"user_metadata.read {name}": token for name, token in tenant.attacks("grace.hopper").items()},
        "impersonation.token_exchange refused": {
            "subject_token": tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": None}),
            "target_user": "linus_t",
        },
    }


async def ask_everything(bus, server):
    tenant = server.tenant
    requests = await writes(bus, tenant) | reads(tenant) | more(tenant)
    assert {name.partition(" ")[0] for name in requests} == {subject.name for subject in subjects()}
    await bus.ask_all(requests)
    for strike in FAULTS.values():
        requests = await writes(bus, tenant) | reads(tenant)
        strike(server, ["users*", *WRITES])
        await bus.ask_all(requests)
        tenant.faults.clear()
        server.use_certificate("good")
        server.refuse_connections(refuse=False)


def told_by(record):
    """Return what a record says but for its time, other numbers and ids, whose digits are a code's by chance."""
    said = {name: value for name, value in record.items() if name not in {"time", "trace_id", "span_id", "request_id"}}
    return json.dumps({name: value for name, value in said.items() if type(value) is not float}, ensure_ascii=False)


async def test_nothing_of_the_tenants_is_logged(nats, tmp_path, server):
    tenant = server.tenant
    with process(nats.url, tmp_path, **tenant.environment(), **SETTINGS) as service:
        service.until_ready()
        client = await connect(nats.url)
        bus = Bus(client, client.new_inbox())
        await bus.listen()
        await ask_everything(bus, server)
        await client.close()
        assert service.end() == 0
    secrets = tenant.records.confidential() | {tenant.environment()["AUTH0_M2M_PRIVATE_BASE64_KEY"]}
    records = service.records()
    audits = [json.dumps(record) for record in records if "audit" in record]
    others = "\n".join(told_by(record) for record in records if "audit" not in record)
    assert len(secrets) > 300
    assert '"debug"' in others
    assert others.count("request failed") > len(FAULTS)
    assert {secret for secret in secrets if secret in others} == set()
    # Whom an audit record names it names in clear; the last is what the caller is told of a refusal.
    named = {secret for secret in secrets if any(secret in audit for audit in audits)}
    assert named <= {"auth0|ada", "linus_t"}
    assert len(audits) >= len(FAULTS)
