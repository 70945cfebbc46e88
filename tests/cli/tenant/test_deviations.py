# SPDX-License-Identifier: MIT
"""Each single deviation is found, with its remedy, and mended by the steps that it needs and no other."""

from __future__ import annotations

import os
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.stand_ins.auth0.keys import rsa_key

DATABASE = "Username-Password-Authentication"
SERVICE, PROFILE = "LFX V2 Auth Service", "LFX One Profile"
LOOKUP = "LFX V2 Auth Service impersonation look-up"
ACTION = "LFX V2 Auth Service impersonation"
SCOPES = "create:users read:users update:users delete:users"
OTP, REALM = "http://auth0.com/oauth/grant-type/passwordless/otp", "http://auth0.com/oauth/grant-type/password-realm"


def client(found, name):
    return next(one for one in found.applications.by_id.values() if one["name"] == name)


def set_client(name, found, **fields):
    client(found, name).update(fields)
    for field, value in fields.items():
        if value is None:
            del client(found, name)[field]


def set_grant(name, scopes, found):
    grant = next(one for one in found.grants.by_id.values() if one["client_id"] == client(found, name)["client_id"])
    grant["scope"] = scopes.split()


def drop_grant(name, found):
    client_id = client(found, name)["client_id"]
    for key in [key for key, one in found.grants.by_id.items() if one["client_id"] == client_id]:
        del found.grants.by_id[key]


def set_options(name, found, **options):
    for option, value in options.items():
        found.connections.named(name)["options"][option] = value


def disable(name, application, found):
    del found.connections.clients_of[found.connections.named(name)["id"]][client(found, application)["client_id"]]


def drop_connection(name, found):
    connection_id = found.connections.named(name)["id"]
    del found.connections.by_id[connection_id], found.connections.clients_of[connection_id]


def drop_client(name, found):
    client_id = client(found, name)["client_id"]
    drop_grant(name, found)
    del found.applications.by_id[client_id]
    for enabled in found.connections.clients_of.values():
        enabled.pop(client_id, None)


def wrong_key(found):
    (credential,) = found.applications.credentials[client(found, SERVICE)["client_id"]].values()
    credential.update(kid="a-key-of-somebody", pem=rsa_key("wrong").public(Encoding.PEM).decode())


def by_secret(found):
    set_client(SERVICE, found, client_authentication_methods=None, token_endpoint_auth_method="client_secret_post")


def action(found):
    return next(one for one in found.actions.by_id.values())


def by_key(name, found):
    methods = {"private_key_jwt": {"credentials": [{"id": "cred_of_somebody"}]}}
    set_client(name, found, client_authentication_methods=methods, token_endpoint_auth_method=None)


def set_every_scope(name, found):
    client_id = client(found, name)["client_id"]
    next(one for one in found.grants.by_id.values() if one["client_id"] == client_id)["allow_all_scopes"] = True


def undeployed(found):
    found.actions.deployed.clear()
    action(found)["all_changes_deployed"] = False


def changed(found, **fields):
    action(found).update(fields, all_changes_deployed=True)


def older_deployed(found):
    action(found)["all_changes_deployed"] = False


def old_runtime(found):
    changed(found, runtime="node18-actions")
    found.actions.deployed[action(found)["id"]]["runtime"] = "node18-actions"


def old_runtime_deployed(found):
    found.actions.deployed[action(found)["id"]]["runtime"] = "node18-actions"


def drop_exchange(found):
    found.exchanges.by_id.clear()


def drop_secret(found):
    changed(found, secrets=action(found)["secrets"][1:])


def set_api(identifier, found, **fields):
    next(one for one in found.apis.by_id.values() if identifier in one["identifier"]).update(fields)


def attributes(found):
    options = found.connections.named(DATABASE)["options"]
    del options["requires_username"]
    options["attributes"] = {"email": {"identifier": {"active": True}}, "username": {"signup": {"status": "optional"}}}


GRANTING = f"grant exactly {SCOPES} to {SERVICE}"
MENDING = "change {} of email"
CASES = {
    "no usernames": (
        partial(set_options, DATABASE, requires_username=False),
        "database connection",
        [f"require usernames in {DATABASE}"],
    ),
    "usernames that are an attribute, and optional": (
        attributes,
        "database connection",
        [f"require usernames in {DATABASE}"],
    ),
    "passwords off for the profile application": (
        partial(disable, DATABASE, PROFILE),
        "database connection",
        [f"enable {DATABASE} for {PROFILE}"],
    ),
    "passwords off for LFX One": (partial(disable, DATABASE, "LFX One"), "LFX One", [f"enable {DATABASE} for LFX One"]),
    "links instead of codes": (
        partial(set_options, "email", email={"body": "<a href='{{ link }}'>sign in</a>", "syntax": "liquid"}),
        "e-mail connection",
        [MENDING.format("the mail")],
    ),
    "four digits": (
        partial(set_options, "email", totp={"length": 4, "time_step": 300}),
        "e-mail connection",
        [MENDING.format("digits of a code")],
    ),
    "no word of digits": (
        partial(set_options, "email", totp={}),
        "e-mail connection",
        [MENDING.format("digits of a code")],
    ),
    "sign-ups off": (
        partial(set_options, "email", disable_signup=True),
        "e-mail connection",
        [MENDING.format("sign-ups")],
    ),
    "brute force let through": (
        partial(set_options, "email", brute_force_protection=False),
        "e-mail connection",
        [MENDING.format("brute-force protection")],
    ),
    "codes off for the profile application": (
        partial(disable, "email", PROFILE),
        "e-mail connection",
        [f"enable email for {PROFILE}"],
    ),
    "no e-mail connection": (
        partial(drop_connection, "email"),
        "e-mail connection",
        ["make the connection email, with codes"],
    ),
    "the service a web application": (
        partial(set_client, SERVICE, app_type="regular_web"),
        "M2M application",
        [f"change app_type of the application {SERVICE}"],
    ),
    "the service with a grant too many": (
        partial(set_client, SERVICE, grant_types=["client_credentials", "authorization_code"]),
        "M2M application",
        [f"change grant_types of the application {SERVICE}"],
    ),
    "the service without its grant": (
        partial(set_client, SERVICE, grant_types=[]),
        "M2M application",
        [f"change grant_types of the application {SERVICE}"],
    ),
    "exchange not allowed": (
        partial(set_client, SERVICE, token_exchange=None),
        "M2M application",
        [f"change token_exchange of the application {SERVICE}"],
    ),
    "the wrong key": (
        wrong_key,
        "its key",
        [f"register the key with {SERVICE}", f"let {SERVICE} authenticate by the key"],
    ),
    "the service by a secret": (by_secret, "its key", [f"let {SERVICE} authenticate by the key"]),
    "a scope too many": (partial(set_grant, SERVICE, f"{SCOPES} read:clients"), "its rights", [GRANTING]),
    "a scope too few": (partial(set_grant, SERVICE, "create:users read:users update:users"), "its rights", [GRANTING]),
    "every scope that there will ever be": (partial(set_every_scope, SERVICE), "its rights", [GRANTING]),
    "no scope": (partial(set_grant, SERVICE, ""), "its rights", [GRANTING]),
    "no grant": (partial(drop_grant, SERVICE), "its rights", [f"grant {SCOPES} to {SERVICE}"]),
    "the profile application native": (
        partial(set_client, PROFILE, app_type="native"),
        "profile application",
        [f"change app_type of the application {PROFILE}"],
    ),
    "the profile application by basic": (
        partial(set_client, PROFILE, token_endpoint_auth_method="client_secret_basic"),
        "profile application",
        [f"change token_endpoint_auth_method of the application {PROFILE}"],
    ),
    "the profile application by a key": (
        partial(by_key, PROFILE),
        "profile application",
        [f"change token_endpoint_auth_method, client_authentication_methods of the application {PROFILE}"],
    ),
    "the look-up by a key": (
        partial(by_key, LOOKUP),
        "look-up application",
        [f"change token_endpoint_auth_method, client_authentication_methods of the application {LOOKUP}"],
    ),
    "no codes at the profile application": (
        partial(set_client, PROFILE, grant_types=["authorization_code", REALM]),
        "profile application",
        [f"change grant_types of the application {PROFILE}"],
    ),
    "no passwords at the profile application": (
        partial(set_client, PROFILE, grant_types=["authorization_code", OTP]),
        "profile application",
        [f"change grant_types of the application {PROFILE}"],
    ),
    "implicit at the profile application": (
        partial(set_client, PROFILE, grant_types=["authorization_code", OTP, REALM, "implicit", "refresh_token"]),
        "profile application",
        [f"change grant_types of the application {PROFILE}"],
    ),
    "ID tokens by HS256": (
        partial(set_client, PROFILE, jwt_configuration={"alg": "HS256"}),
        "profile application",
        [f"change jwt_configuration of the application {PROFILE}"],
    ),
    "users without their grant": (
        partial(drop_grant, PROFILE),
        "its users' rights",
        [f"grant update:current_user_metadata update:current_user_identities to {PROFILE}"],
    ),
    "users with a scope too few": (
        partial(set_grant, PROFILE, "update:current_user_metadata"),
        "its users' rights",
        [f"grant exactly update:current_user_metadata update:current_user_identities to {PROFILE}"],
    ),
    "users kept out": (
        partial(set_api, "/api/v2/", subject_type_authorization={"user": {"policy": "deny_all"}}),
        "users of the API",
        ["let granted applications ask for users' tokens of the Management API"],
    ),
    "no LFX One": (
        partial(drop_client, "LFX One"),
        "LFX One",
        ["make the application LFX One", f"enable {DATABASE} for LFX One"],
    ),
    "the platform's API by HS256": (
        partial(set_api, "lfx-api", signing_alg="HS256"),
        "platform's API",
        ["sign tokens of LFX V2 API with RS256"],
    ),
    "no exchange profile": (drop_exchange, "exchange profile", ["make the exchange profile"]),
    "an Action not deployed": (undeployed, "exchange Action", ["deploy the Action"]),
    "an Action with changes not deployed": (older_deployed, "exchange Action", ["deploy the Action"]),
    "an Action on an old runtime": (
        old_runtime,
        "exchange Action",
        [f"change runtime of the Action {ACTION}", "deploy the Action"],
    ),
    "an Action whose old runtime runs": (old_runtime_deployed, "exchange Action", ["deploy the Action"]),
    "an Action without its library": (
        partial(changed, dependencies=[]),
        "exchange Action",
        [f"change dependencies of the Action {ACTION}", "deploy the Action"],
    ),
    "an Action without a secret": (
        drop_secret,
        "exchange Action",
        [f"change secrets of the Action {ACTION}", "deploy the Action"],
    ),
    "an Action whose code was changed": (
        partial(changed, code="// Made for the auth service, and changed"),
        "exchange Action",
        [f"change code of the Action {ACTION}", "deploy the Action"],
    ),
    "a look-up with more rights": (
        partial(set_grant, LOOKUP, "read:users delete:users"),
        "its rights to look up",
        [f"grant exactly read:users to {LOOKUP}"],
    ),
    "a look-up without rights": (
        partial(drop_grant, LOOKUP),
        "its rights to look up",
        [f"grant read:users to {LOOKUP}"],
    ),
}
OF_OTHERS = {"users kept out", "the platform's API by HS256"}
"""What can bear no mark, and is changed with --adopt alone."""

ALONE = {"no LFX One", "no e-mail connection", "no exchange profile"}
"""What is not looked at beside others that concern the same thing."""


def rounds():
    """The cases, at most one of each row in a round; with `TENANT_DEVIATIONS=each` every one by itself."""
    if os.environ.get("TENANT_DEVIATIONS") == "each":
        return [[title] for title in CASES]
    found = [[title] for title in CASES if title in ALONE]
    for title, (_, row, _) in CASES.items():
        if title not in ALONE:
            others = (one for one in found if ALONE.isdisjoint(one) and all(CASES[other][1] != row for other in one))
            place = next(others, None)
            if place is None:
                found.append([title])
            else:
                place.append(title)
    return found


@pytest.mark.parametrize("titles", rounds(), ids=lambda titles: f"{titles[0]}, and {len(titles) - 1} more")
def test_deviations_are_found_and_mended_by_what_they_need(command, titles):
    for title in titles:
        CASES[title][0](command.tenant.resources)
    found = command.check()
    wrong = {one["what"]: one["remedy"] for one in found.json["requirements"] if one["state"] != "ok"}
    remedies = {
        CASES[title][1]: f"auth-service tenant apply{' --adopt' if title in OF_OTHERS else ''}" for title in titles
    }
    assert (found.status, wrong) == (1, remedies)
    done = command("apply", yes=True, adopt=not OF_OTHERS.isdisjoint(titles))
    # 0: the tenant was looked at anew, and every requirement is met.
    assert (done.status, done.err) == (0, "")
    assert sorted(made(done)) == sorted(step for title in titles for step in CASES[title][2])


def made(done):
    """The steps that were made, where the table begins the last one ends."""
    text = done.out[: done.out.index("Management API         ")]
    return [" ".join(part.split()) for part in text.split("done  ")[1:]]


@pytest.mark.parametrize("title", sorted(OF_OTHERS))
def test_what_is_not_the_services_is_left_alone_without_adopt(command, title):
    CASES[title][0](command.tenant.resources)
    command.tenant.records.clear()
    done = command("apply", yes=True)
    assert done.status == 1
    assert {one.method for one in command.tenant.records.exchanges} == {"GET"}
    assert "only with --adopt" in " ".join(done.out.split())


def test_a_connection_of_somebodys_is_left_alone_without_adopt(command):
    found = command.tenant.resources
    found.connections.named(DATABASE)["metadata"] = {}
    disable(DATABASE, PROFILE, found)
    assert command("apply", yes=True).status == 1
    assert not found.connections.is_enabled(DATABASE, client(found, PROFILE)["client_id"])
    assert command("apply", yes=True, adopt=True).status == 0


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        ("AUTH0_M2M_CLIENT_ID", "M2M application"),
        ("AUTH0_LFX_PROFILE_CLIENT_ID", "profile application"),
        ("AUTH0_LFX_ONE_CLIENT_ID", "LFX One"),
    ],
)
def test_an_id_that_nobody_has_is_told_and_nothing_made_in_its_place(command, variable, row):
    command.set(variable, "nobody")
    done = command.check()
    assert done.status == 1
    assert variable in done.row(row)["remedy"]
    assert [step for step in command.plan() if step.startswith("make the application")] == []


def test_events_want_one_scope_more(command):
    command.set("AUTH0_EVENTS", "true")
    assert command.plan() == [f"grant exactly {SCOPES} read:events to {SERVICE}"]
