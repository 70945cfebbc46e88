# SPDX-License-Identifier: MIT
"""Whom the tenant's Action for impersonation finds, run by Node beside a tenant that answers as Auth0 does."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files

import pytest

from tests.docs.parser.__main__ import find

ACTION = files("app.cli.tenant").joinpath("impersonation-action.js")
RUN = """
const Module = require("module");
const { users, target } = JSON.parse(process.argv[1]);
const jose = { createRemoteJWKSet: () => null, jwtVerify: async () => ({ payload: {
  sub: "auth0|admin", "http://lfx.dev/claims/can_impersonate": true } }) };
const load = Module._load;
Module._load = (name, ...rest) => (name === "jose" ? jose : load(name, ...rest));
const asked = [];
const answers = (url) => {
  if (url.pathname === "/oauth/token") return { access_token: "t" };
  asked.push(url.pathname.slice(8) + "?" + (url.searchParams.get("email") ?? url.searchParams.get("q")));
  if (url.pathname.endsWith("users-by-email"))
    return users.filter((user) => user.current === url.searchParams.get("email"));
  const [, field, value] = url.searchParams.get("q").match(/^(\\w+):"(.*)"$/);
  const same = (text) => text?.toLowerCase() === value.toLowerCase();
  return users.filter((user) => same(user[field]));
};
global.fetch = async (url) => ({ ok: true, json: async () => answers(new URL(url)) });
const done = [];
const event = {
  secrets: { DOMAIN: "d", TENANT_DOMAIN: "t", API_AUDIENCE: "api", SERVICE_CLIENT_ID: "c" },
  client: { client_id: "c" }, resource_server: { identifier: "api" },
  transaction: { subject_token: "s" }, request: { body: { target_user: target } },
};
const api = {
  access: { deny: (error, why) => done.push(why), rejectInvalidSubjectToken: (why) => done.push(why) },
  authentication: { setUserById: (id) => done.push(id) },
};
require(process.argv[2]).onExecuteCustomTokenExchange(event, api)
  .then(() => console.log(JSON.stringify({ done, asked })));
"""
UNKNOWN = "The target user is unknown."


def user(user_id, email, username="", current=None, connection="Username-Password-Authentication"):
    """A user as the search has it; `current`: the address by which it is found, where the search lags behind."""
    return {
        "user_id": user_id,
        "email": email,
        "username": username,
        "current": email if current is None else current,
        "identities": [{"connection": connection}],
    }


ADA = user("auth0|ada", "ada@example.org", "ada")
CAPITALS = user("samlp|acme|ada", "Ada@Kernel.Example")


@pytest.mark.parametrize(
    ("users", "target", "found", "asked"),
    [
        ([ADA], "ada@example.org", "auth0|ada", ["users-by-email?ada@example.org"]),
        ([ADA], "Ada@Example.org", "auth0|ada", ["users-by-email?ada@example.org"]),
        ([ADA], "ada", "auth0|ada", ['users?username:"ada"']),
        ([ADA], 'a"d\\a', UNKNOWN, ['users?username:"a\\"d\\\\a"']),
        (
            [CAPITALS],
            "ada@kernel.example",
            "samlp|acme|ada",
            ["users-by-email?ada@kernel.example", 'users?email:"ada@kernel.example"'],
        ),
        (
            [user("auth0|ada", "ada@kernel.example", current="ada@moved.example")],
            "ada@kernel.example",
            UNKNOWN,
            ["users-by-email?ada@kernel.example", 'users?email:"ada@kernel.example"'],
        ),
        (
            [user("google-oauth2|7", "ada@example.org", connection="google-oauth2")],
            "ada@example.org",
            UNKNOWN,
            ["users-by-email?ada@example.org", 'users?email:"ada@example.org"'],
        ),
    ],
    ids=["by e-mail", "in capitals", "by name", "a name with signs", "stored with capitals", "moved", "social"],
)
def test_who_is_meant_is_found_as_the_service_finds_them(users, target, found, asked):
    (node,), _ = find() or pytest.fail("Node is missing: make examples brings it along")
    told = json.dumps({"users": users, "target": target})
    done = subprocess.run([node, "-e", RUN, told, str(ACTION)], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"done": [found], "asked": asked}
