# SPDX-License-Identifier: MIT
"""A tenant that is full of what others have made: left as it is, and looked at with few calls."""

from __future__ import annotations

import json

import pytest

from tests.cli.tenant.conftest import restored


@pytest.fixture
def crowded(command, made):
    """The tenant that the command has made, with 200 applications, 100 connections and 30 Actions of others' in it."""
    restored(command.tenant, made[0])
    crowd(command.tenant.resources)
    return command


def crowd(found):
    for number in range(200):
        found.applications.add(f"client{number:03}", name=f"Application {number}", app_type="regular_web")
        found.grants.add(f"client{number:03}", found.management_audience, ["read:users"])
    for number in range(100):
        made = found.connections.add(f"connection-{number}", "google-oauth2")
        found.connections.clients_of[made["id"]].update({f"client{one:03}": None for one in range(200)})
    for number in range(30):
        action = found.actions.add(f"Action {number}", "custom-token-exchange" if number == 0 else "post-login")
    found.exchanges.add("another", "urn:another", action["id"])


def test_a_look_costs_few_calls_one_after_the_other(crowded):
    crowded.tenant.records.clear()
    assert crowded.check().status == 0
    calls = crowded.tenant.records.calls
    assert sum(calls.values()) <= 30
    # Three pages of applications; of all else what concerns the service.
    assert calls["clients.list"] == 3
    assert calls["connections.list"] + calls["grants.list"] + calls["actions.list"] <= 6


def test_what_others_have_made_is_left_as_it_is(bare, made):
    crowd(bare.tenant.resources)
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    before = json.dumps(bare.tenant.resources.snapshot())
    assert bare("apply", yes=True).status == 0
    after = bare.tenant.resources.snapshot()
    kept = {name: {one: after[name][one] for one in store} for name, store in json.loads(before).items()}
    assert json.dumps(kept) == before
