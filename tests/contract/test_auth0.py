# SPDX-License-Identifier: MIT
"""What the contract says of Auth0 alone."""

from __future__ import annotations

import pytest

from tests.support.contract import (
    SUBJECT,
    TOKEN,
    USERNAME,
    Blank,
    case,
    data,
    done,
    failure,
    on_every_provider,
    only_on,
)
from tests.support.people import PASSWORD, ada, grace, linus, lukasz, nobody, nomail, sam

pytestmark = [pytest.mark.asyncio(loop_scope="module"), only_on("auth0")]

LIST = "user_identity.list"
UNLINK = "user_identity.unlink"
EXCHANGE = "impersonation.token_exchange"
VERIFY = "email_linking.verify"
ACTS = {
    "user_metadata.update": lambda token: {"token": token, "user_metadata": {"city": "Oslo"}},
    "user_emails.set_primary": lambda token: {"user": {"auth_token": token}, "email": "ada@lovelace.example"},
    "user_identity.link": lambda token: {
        "user": {"auth_token": token},
        "link_with": {"identity_token": Blank(lambda world, _: world.identity_token("github|1"))},
    },
    "user_identity.unlink": lambda token: {
        "user": {"auth_token": token},
        "unlink": {"provider": "github", "identity_id": "4711"},
    },
    "add_alias": lambda token: {"user": {"auth_token": token}, "alias": "jane", "domain": "linux.com"},
    "password.update": lambda token: {"token": token, "current_password": PASSWORD, "new_password": "n3w"},
    "password.reset_link": lambda token: {"token": token},
}
SCOPES = {
    "user_metadata.update": "update:current_user_metadata",
    "user_emails.set_primary": "update:current_user_identities",
    "user_identity.link": "update:current_user_identities",
    "user_identity.unlink": "update:current_user_identities",
    "add_alias": "update:current_user_identities",
    "password.update": "update:current_user_metadata",
    "password.reset_link": "update:current_user_metadata",
}


def made(scopes: list[str] | None = None, **claims: object) -> Blank:
    """A caller's token of the tenant, with other scopes or claims."""
    wanted = {} if scopes is None else {"scopes": scopes}
    return Blank(lambda world, person: world.tenant.access_token(person.subject, **wanted, **claims))


def _of(reference: object) -> dict[str, object]:
    return {"user": {"auth_token": reference}}


API = "https://lfx-api.example/"
"""The audience of the platform's API."""

BAD_TOKENS = {
    "of another issuer": (made(iss="https://elsewhere.example/"), "invalid issuer"),
    "of nobody": (made(sub=""), "invalid token"),
    "for another audience": (made(aud="https://elsewhere.example/"), "invalid audience"),
    "for several others": (made(aud=["https://a.example/", "https://b.example/"]), "invalid audience"),
    "for the platform's API": (made(aud=API), "invalid audience"),
    "of another issuer and audience": (made(iss="x", aud="x"), "invalid issuer"),
    "that never expires": (made(exp=None), "invalid token"),
    "without scopes": (made([]), "missing required scope"),
    "with a longer scope": (made(["update:current_user_metadata_of_others", "openid"]), "missing required scope"),
    "a subject": (SUBJECT, "invalid token"),
    "a username": (USERNAME, "invalid token"),
}
TOKENS = [
    case(subject, f"a token {title}", send=body(token), reply=failure(error))
    for subject, body in ACTS.items()
    for title, (token, error) in BAD_TOKENS.items()
]
SCOPED = [
    case(
        subject,
        "a token with the other scope",
        send=ACTS[subject](made(sorted({*SCOPES.values()} - {scope}))),
        reply=failure("missing required scope"),
    )
    for subject, scope in SCOPES.items()
]
READS = [
    *(
        case(LIST, f"the account is listed first, by {title}", send=_of(reference), reply=data(listed), as_=person)
        for title, reference, person, listed in (
            ("token", TOKEN, grace, [{"provider": "auth0", "user_id": "grace.hopper", "isSocial": False}]),
            ("subject", SUBJECT, grace, [{"provider": "auth0", "user_id": "grace.hopper", "isSocial": False}]),
            ("username", USERNAME, grace, [{"provider": "auth0", "user_id": "grace.hopper", "isSocial": False}]),
            (
                "a token without scopes",
                made([]),
                sam,
                [{"provider": "google-oauth2", "user_id": "2048", "isSocial": True}],
            ),
        )
    ),
    case(LIST, "an address is no reference", send=_of("ada@example.org"), reply=failure("user not found")),
    case(
        "user_emails.read", "an address is no reference", send=_of("ada@example.org"), reply=failure("user not found")
    ),
    case("user_metadata.read", "a token for the platform's API", send=made([], aud=API), reply=data({}), as_=grace),
    case(
        "user_emails.read",
        "a token for the platform's API",
        send=_of(made([], aud=["https://elsewhere.example/", API])),
        reply=data({"primary_email": "grace@example.org", "alternate_emails": []}),
        as_=grace,
    ),
    case(
        LIST,
        "a token for the platform's API",
        send=_of(made([], aud=API)),
        reply=data([{"provider": "auth0", "user_id": "grace.hopper", "isSocial": False}]),
        as_=grace,
    ),
    case("user_metadata.read", "an expired one for it", send=made(aud=API, exp=1), reply=failure("token has expired")),
    case("user_metadata.read", "another audience", send=made(aud="x"), reply=failure("invalid audience")),
    case("user_metadata.read", "another issuer", send=made(iss="x"), reply=failure("invalid issuer")),
    case("user_metadata.read", "over 512 bytes", send="x" * 513, reply=failure("user not found")),
    case("user_metadata.read", "a subject beyond ASCII", send="auth0|ł", reply=failure("user not found")),
    case("email_to_sub", "no database connection", send="sam@gmail.example", reply=failure("user not found")),
    case(UNLINK, "nobody's token", send=ACTS[UNLINK](TOKEN), as_=nobody, reply=failure("identity not found")),
    case(
        "password.update",
        "an account without a password",
        send=ACTS["password.update"](TOKEN),
        as_=sam,
        reply=failure("password change requires an Auth0 user with a username"),
    ),
]
EXCHANGES = [
    case(EXCHANGE, "malformed", send="[", reply=failure("invalid request")),
    case(EXCHANGE, "no token", send={"target_user": "grace"}, reply=failure("subject_token is required")),
    case(EXCHANGE, "nobody to be", send={"subject_token": "x"}, reply=failure("target_user is required")),
    case(EXCHANGE, "no token at all", send={"subject_token": "x", "target_user": "y"}, reply=failure("invalid token")),
    case(
        EXCHANGE,
        "an audience that is not allowed",
        send={"subject_token": "x", "target_user": "y", "audience": "https://elsewhere.example/"},
        reply=failure("audience not allowed"),
    ),
    case(
        EXCHANGE,
        "nobody to be, for an audience",
        send={"subject_token": "x", "audience": "https://elsewhere.example/"},
        reply=failure("target_user is required"),
    ),
    case(
        EXCHANGE,
        "an audience that is no text",
        send={"subject_token": "x", "target_user": "y", "audience": 5},
        reply=failure("invalid request"),
    ),
    *(
        case(
            EXCHANGE,
            f"{title}, and no token at all",
            send={"subject_token": "x", "target_user": "y", "audience": audience},
            reply=failure("invalid token"),
        )
        for title, audience in (
            ("no audience", None),
            ("an empty audience", ""),
            ("the usual audience", API),
            ("another audience", "https://insights-api.example/"),
        )
    ),
    case(
        EXCHANGE,
        "the audience of another subject",
        send={"subject_token": TOKEN, "target_user": "y"},
        reply=failure("invalid audience"),
    ),
    case(
        EXCHANGE,
        "a token that does not allow it",
        send={
            "subject_token": Blank(
                lambda world, person: world.tenant.impersonator_token(
                    person.subject, **{"http://lfx.dev/claims/can_impersonate": "true"}
                )
            ),
            "target_user": "grace.hopper",
        },
        reply=failure("impersonation not allowed"),
    ),
]
IMPERSONATOR = Blank(lambda world, person: world.tenant.impersonator_token(person.subject))


@on_every_provider([*TOKENS, *SCOPED, *READS, *EXCHANGES])
async def test_auth0(case, shared):
    await case.run(shared)


@pytest.mark.parametrize("target", ["grace.hopper", "grace@example.org"])
async def test_a_token_is_exchanged_for_one_of_another_user(fresh, target):
    reply = await fresh.ask(EXCHANGE, {"subject_token": IMPERSONATOR, "target_user": target})
    assert (reply["success"], set(reply["data"])) == (True, {"access_token"})
    assert reply["data"]["access_token"].count(".") == 2


async def test_the_tenants_refusal_is_passed_on_in_one_line(fresh):
    reply = await fresh.ask(EXCHANGE, {"subject_token": IMPERSONATOR, "target_user": "nobody"})
    assert reply["success"] is False
    assert reply["error"].startswith("invalid_request: ")
    assert "\n" not in reply["error"]


async def test_a_code_is_exchanged_for_what_the_tenant_gives(fresh):
    await fresh.ask("email_linking.send_verification", "johanna@new.example")
    code = fresh.world.code_sent_to("johanna@new.example")
    reply = await fresh.ask(VERIFY, {"email": " JOHANNA@new.example", "otp": f" {code}\n"})
    tokens = {name: reply["data"].pop(name) for name in ("id_token", "access_token", "token")}
    assert reply == data({"token_type": "Bearer", "expires_in": 86400, "scope": "openid email profile"})
    assert tokens["token"] == tokens["id_token"] != tokens["access_token"]


@pytest.mark.parametrize("guess", ["000000", "x", "1" * 4000])
async def test_a_wrong_code_is_exchanged_for_nothing(fresh, guess):
    await fresh.ask("email_linking.send_verification", "johanna@new.example")
    if guess == fresh.world.code_sent_to("johanna@new.example"):
        guess = "111111"
    refused = failure("failed to exchange OTP for token")
    assert await fresh.ask(VERIFY, {"email": "johanna@new.example", "otp": guess}) == refused


async def test_a_code_of_the_tenant_works_once(fresh):
    await fresh.ask("email_linking.send_verification", "johanna@new.example")
    body = {"email": "johanna@new.example", "otp": fresh.world.code_sent_to("johanna@new.example")}
    assert (await fresh.ask(VERIFY, body))["success"] is True
    assert await fresh.ask(VERIFY, body) == failure("failed to exchange OTP for token")


async def test_a_weak_password_does_not_meet_the_requirements(fresh):
    fresh.world.tenant.password_policy.shortest = 12
    change = {"token": TOKEN, "current_password": PASSWORD, "new_password": "short"}
    assert await fresh.ask("password.update", change) == failure("password does not meet the requirements")


async def test_an_alias_stays_managed_when_its_own_record_is_gone(fresh):
    alias = {"user": {"auth_token": TOKEN}, "alias": "jane", "domain": "linux.com"}
    assert (await fresh.ask("add_alias", alias, linus))["success"]
    identity = {"provider": "email", "identity_id": await fresh.identity_id("jane@linux.com", linus)}
    refused = await fresh.ask(UNLINK, {"user": {"auth_token": TOKEN}, "unlink": identity}, linus)
    assert refused == failure("system_managed_identity")


async def test_a_linked_proof_of_an_address_is_refused_to_a_second_account(fresh):
    await fresh.ask("email_linking.send_verification", "johanna@new.example")
    code = fresh.world.code_sent_to("johanna@new.example")
    proof = (await fresh.ask(VERIFY, {"email": "johanna@new.example", "otp": code}))["data"]["id_token"]
    link = {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": proof}}
    assert await fresh.ask("user_identity.link", link, grace) == done("identity linked successfully")
    assert await fresh.ask("user_identity.link", link, linus) == failure("identity already linked to another user")


async def test_a_proof_with_another_signature_links_nothing(fresh):
    proof = fresh.world.identity_token("github|77")
    forged = f"{proof[:-8]}{'A' * 8}"
    link = {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": forged}}
    assert await fresh.ask("user_identity.link", link, nomail) == failure("failed to link identity to user")
    assert (await fresh.ask(LIST, _of(SUBJECT), nomail))["data"] == [
        {"provider": "auth0", "user_id": "nomail", "isSocial": False}
    ]


@pytest.mark.parametrize(("seconds", "expected"), [(29, True), (31, False)])
async def test_a_token_is_good_for_half_a_minute_past_its_end(fresh, seconds, expected):
    token = fresh.world.tenant.access_token(ada.subject, exp=int(fresh.world.clock()) - seconds)
    reply = await fresh.ask("user_metadata.read", token)
    assert reply["success"] is True if expected else reply == failure("token has expired")


async def test_a_username_beyond_ascii_is_found_by_the_subject_that_is_derived_from_it(shared):
    assert (await shared.ask("user_metadata.read", USERNAME, lukasz))["data"]["city"] == "Łódź"
