# SPDX-License-Identifier: MIT
"""`auth-service check` on a tenant: the key set, the token, and each scope by its name."""

from __future__ import annotations

import pytest

from tests.support.command import run

SCOPES = ("create:users", "read:users", "update:users", "delete:users")
ROWS = ["configuration", "NATS", "Auth0 key set", "Auth0 token", *(f"Auth0 scope {scope}" for scope in SCOPES)]


@pytest.fixture
def check(on_nats, tenant):
    def check(**more):
        done = run("check", **more)
        text = done.stdout.decode()
        assert tenant.environment()["AUTH0_LFX_PROFILE_CLIENT_SECRET"] not in text + done.stderr.decode()
        rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in text.splitlines()]
        return done.returncode, {what: (state, why) for what, state, why in rows}

    on_nats.setenv("USER_REPOSITORY_TYPE", "auth0")
    return check


def test_everything_has_its_row_and_nothing_is_written(check, tenant):
    status, rows = check()
    assert (status, list(rows)) == (0, ROWS)
    assert {state for state, _ in rows.values()} == {"ok"}
    assert dict(tenant.records.calls) == {"jwks": 1, "token.client_credentials": 1}


@pytest.mark.parametrize("missing", SCOPES)
def test_a_scope_that_was_not_granted_is_named(check, tenant, missing):
    tenant.tokens.m2m_scopes = tuple(scope for scope in SCOPES if scope != missing)
    status, rows = check()
    assert status == 1
    assert [what for what, (state, _) in rows.items() if state != "ok"] == [f"Auth0 scope {missing}"]
    assert rows[f"Auth0 scope {missing}"][1] == "not granted to AUTH0_M2M_CLIENT_ID"


def test_the_scope_of_events_is_asked_for_where_they_are_followed(check, tenant):
    row = "Auth0 scope read:events"
    status, rows = check(AUTH0_EVENTS="true")
    assert (status, rows[row]) == (1, ("FAILED", "not granted to AUTH0_M2M_CLIENT_ID"))
    tenant.offer_events()
    status, rows = check(AUTH0_EVENTS="true")
    assert (status, list(rows), rows[row][0]) == (0, [*ROWS, row], "ok")
    assert tenant.records.calls["events"] == 0


def test_an_application_that_the_tenant_does_not_know_fails(check):
    status, rows = check(AUTH0_M2M_CLIENT_ID="somebody-else")
    assert status == 1
    assert [what for what, (state, _) in rows.items() if state != "ok"] == ROWS[3:]
    assert rows["Auth0 token"][1].startswith("own token refused with status 401")


def test_a_tenant_out_of_reach_fails_every_row_of_its_own(check):
    status, rows = check(AUTH0_DOMAIN="127.0.0.1:1", REQUEST_TIMEOUT="1s")
    assert status == 1
    assert [what for what, (state, _) in rows.items() if state != "ok"] == ROWS[2:]


def test_a_key_set_without_keys_fails_that_row(check, tenant):
    tenant.faults.status(200, "jwks", {"keys": []})
    status, rows = check()
    assert (status, rows["Auth0 key set"][0], rows["Auth0 token"][0]) == (1, "FAILED", "ok")
