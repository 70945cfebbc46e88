# SPDX-License-Identifier: MIT
"""`tenant env`: the variables of this tenant; secrets when they are asked for, and nothing in their place when not."""

from __future__ import annotations

import base64
import json
import os
import shlex
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[3] / "deploy" / "helm" / "lfx-v2-auth-service"
KEY, SECRET = "AUTH0_M2M_PRIVATE_BASE64_KEY", "AUTH0_LFX_PROFILE_CLIENT_SECRET"
FORMS = ("env", "values", "secret")


def profile_of(command):
    applications = command.tenant.resources.applications.by_id.values()
    return next(one for one in applications if one["name"] == "LFX One Profile")


def read(form, output):
    """Names and values, as whoever takes that form reads it."""
    if form == "env":
        lines = shlex.split(output, comments=True)
        return dict(line.split("=", 1) for line in lines)
    content = yaml.safe_load(output) or {}
    if form == "secret":
        return content.get("stringData", {})
    return {name: one["value"] for name, one in content["app"]["environment"].items()}


@pytest.mark.parametrize("form", FORMS)
def test_with_secrets_all_of_them_are_printed(command, form):
    done = command("env", form=form, show=True)
    found = read(form, done.out)
    assert (done.status, done.err) == (0, "")
    assert found[SECRET] == profile_of(command)["client_secret"]
    assert base64.b64decode(found[KEY]).decode() == os.environ[KEY]
    assert form == "secret" or found["AUTH0_LFX_PROFILE_CLIENT_ID"] == profile_of(command)["client_id"]


@pytest.mark.parametrize("form", FORMS)
def test_without_secrets_they_are_named_and_have_no_value(command, form):
    done = command("env", form=form)
    assert (done.status, done.err) == (0, "")
    assert {KEY, SECRET} & read(form, done.out).keys() == set()
    named = "lfx-v2-auth-service" if form == "values" else KEY
    assert named in done.out
    if form == "secret":
        assert yaml.safe_load(done.out) is None  # kubectl says that there is nothing to apply


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_that_is_not_known_is_told_and_nothing_is_printed(command, form):
    command.unset(KEY)
    done = command("env", form=form, show=True)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"set {KEY}:")


def test_a_secret_that_the_token_may_not_read_is_told(command):
    from tests.stand_ins.auth0.resources import MANAGEMENT_SCOPES  # noqa: PLC0415 - what this test alone is about

    held = [scope for scope in MANAGEMENT_SCOPES if scope not in {"read:client_keys", "read:client_credentials"}]
    command.set("AUTH0_ADMIN_TOKEN", command.tenant.admin_token(held))
    done = command("env", show=True)
    assert (done.status, done.out) == (1, "")
    assert "the token needs read:client_keys" in " ".join(done.err.split())


def test_what_is_set_here_for_impersonation_is_printed(command):
    command.set("AUTH0_IMPERSONATION_AUDIENCES", "https://a.example/, https://b.example/")
    command.set("AUTH0_IMPERSONATION_REQUIRE_CLAIM", "false")
    found = read("env", command("env").out)
    assert found["AUTH0_IMPERSONATION_AUDIENCES"] == "https://a.example/,https://b.example/"
    assert found["AUTH0_IMPERSONATION_REQUIRE_CLAIM"] == "false"


def test_the_chart_takes_the_values(command):
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))["properties"]["app"]["properties"]
    values = yaml.safe_load(command("env", form="values").out)["app"]
    assert values["existingSecret"].keys() <= schema["existingSecret"]["properties"].keys()
    assert values["environment"].keys() <= schema["environment"]["properties"].keys()
