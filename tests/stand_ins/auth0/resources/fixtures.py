# SPDX-License-Identifier: MIT
"""A tenant as the service needs it, set up by hand: the ids and secrets that tests know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from tests.stand_ins.auth0.accounts import DATABASE
from tests.stand_ins.auth0.resources.actions import EXCHANGE
from tests.stand_ins.auth0.tokens import (
    INSIGHTS_AUDIENCE,
    LFX_ONE_CLIENT,
    LFX_V2_AUDIENCE,
    M2M_CLIENT,
    M2M_SCOPES,
    PROFILE_CLIENT,
)

if TYPE_CHECKING:
    from tests.stand_ins.auth0.keys import Key
    from tests.stand_ins.auth0.resources import Resources

PROFILE_SECRET: Final = "profile-client-secret-of-the-stand-in"
LOOKUP_CLIENT: Final = "lookup-client"
LOOKUP_SECRET: Final = "lookup-client-secret-of-the-stand-in"
OTP: Final = "http://auth0.com/oauth/grant-type/passwordless/otp"
PASSWORD: Final = "http://auth0.com/oauth/grant-type/password-realm"
_BODY: Final = "<p>Your code is <b>{{ code }}</b></p>"


def set_up(resources: Resources, key: Key) -> None:
    """Set up the tenant; `key` is the M2M application's."""
    _clients(resources, key)
    audience = resources.management_audience
    resources.grants.add(M2M_CLIENT, audience, list(M2M_SCOPES))
    users = ["update:current_user_metadata", "update:current_user_identities"]
    resources.grants.add(PROFILE_CLIENT, audience, users, subject_type="user")
    resources.connections.add(DATABASE, "auth0", options={"requires_username": True})
    mail = {"from": "{{ application.name }} <root@stand-in.example>", "subject": "Your code", "syntax": "liquid"}
    options = {"brute_force_protection": True, "totp": {"length": 6, "time_step": 180}}
    resources.connections.add("email", "email", options={**options, "email": {**mail, "body": _BODY}})
    resources.connections.enable(DATABASE, PROFILE_CLIENT, LFX_ONE_CLIENT)
    resources.connections.enable("email", PROFILE_CLIENT)
    _impersonation(resources)


def _clients(resources: Resources, key: Key) -> None:
    add = resources.applications.add
    credential = {"id": "cred_standin", "name": "", "credential_type": "public_key", "kid": "key-of-the-stand-in"}
    pem = key.public(Encoding.PEM).decode()
    add(
        M2M_CLIENT,
        name="LFX V2 Auth Service",
        app_type="non_interactive",
        client_authentication_methods={"private_key_jwt": {"credentials": [{"id": credential["id"]}]}},
        token_exchange={"allow_any_profile_of_type": ["custom_authentication"]},
    )
    resources.applications.credentials[M2M_CLIENT][credential["id"]] = {**credential, "alg": "RS256", "pem": pem}
    add(
        PROFILE_CLIENT,
        name="LFX One Profile",
        app_type="regular_web",
        client_secret=PROFILE_SECRET,
        grant_types=["authorization_code", OTP, PASSWORD],
        jwt_configuration={"alg": "RS256", "lifetime_in_seconds": 36_000},
    )
    add(LFX_ONE_CLIENT, name="LFX One", app_type="regular_web")
    add(LOOKUP_CLIENT, name="LFX Impersonation Look-up", app_type="non_interactive", client_secret=LOOKUP_SECRET)
    resources.grants.add(LOOKUP_CLIENT, resources.management_audience, ["read:users"])


def _impersonation(resources: Resources) -> None:
    resources.apis.add(LFX_V2_AUDIENCE, "LFX V2 API", scopes=[{"value": "access:api"}])
    resources.apis.add(INSIGHTS_AUDIENCE, "Insights API", scopes=[{"value": "access:api"}])
    values = {
        "API_AUDIENCE": LFX_V2_AUDIENCE,
        "MORE_AUDIENCES": INSIGHTS_AUDIENCE,
        "SERVICE_CLIENT_ID": M2M_CLIENT,
        "LOOKUP_CLIENT_ID": LOOKUP_CLIENT,
        "LOOKUP_CLIENT_SECRET": LOOKUP_SECRET,
    }
    secrets = [{"name": name, "value": value} for name, value in values.items()]
    action = resources.actions.add("LFX impersonation", EXCHANGE, secrets=secrets)
    resources.exchanges.add("LFX impersonation", LFX_V2_AUDIENCE, action["id"])
