# SPDX-License-Identifier: MIT
"""What the contract says of Authelia alone."""

from __future__ import annotations

import pytest

from tests.support.contract import TOKEN, case, data, done, failure, identity, on_every_provider
from tests.support.people import ada, grace, lukasz

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_PASSWORDS = failure("password change is not supported for Authelia users")
NO_LINKS = failure("password reset link is not supported for Authelia users")
NO_ALIASES = failure("alias_service_unavailable")
NO_IMPERSONATION = failure("impersonation flow unavailable")

LONG = {"letters": "a" * 1_048_560, "labels": "a." * 500_000 + "a", "a subject": "auth0|" + "a." * 500_000 + "a"}
"""As long as a message may be, and of what a key of a bucket is made of."""

LONG_DERIVED = {
    "letters": "auth0|38YNPhHU9T1XtqBytKwH54Nv898ZGg6cKGx8mYxTxqG1sYxT8i7tm9Ak3rBeHbQMeDhjP1uo8Vt5YMR6epmkJSmh",
    "labels": "auth0|5su6h7z9q1Mghrur42fTQgBDF5jkuVyMG6cwwadNYAvxL8JPoPikg2STgHdZwhF2teKfnQzAQG8k3D7jTbfupXsS",
}

CASES = [
    case("password.update", "not here", send={"token": TOKEN}, reply=NO_PASSWORDS, on=("authelia",)),
    case("password.update", "before malformed", send="no JSON", reply=NO_PASSWORDS, on=("authelia",)),
    case("password.reset_link", "not here", send={"token": TOKEN}, reply=NO_LINKS, on=("authelia",)),
    case("add_alias", "before malformed", send="no JSON", reply=NO_ALIASES, on=("authelia",)),
    case("impersonation.token_exchange", "before malformed", send="x", reply=NO_IMPERSONATION, on=("authelia",)),
    case(
        "user_metadata.read",
        "a username that can be no key",
        send="łukasz",
        as_=lukasz,
        reply=failure("user not found"),
        on=("authelia",),
    ),
    case(
        "user_metadata.read",
        "a lookup key",
        send="lookup/authelia-users/email/x",
        reply=failure("user not found"),
        on=("authelia",),
    ),
    *(
        case(
            "user_metadata.read",
            f"over 512 bytes: {title}",
            send=name,
            reply=failure("user not found"),
            on=("authelia",),
        )
        for title, name in LONG.items()
    ),
    *(
        case("username_to_sub", f"over 512 bytes: {title}", send=LONG[title], reply=sub, on=("authelia",))
        for title, sub in LONG_DERIVED.items()
    ),
    case("user_metadata.read", "no UTF-8", send=b"auth0|ada\xff", reply=failure("user not found"), on=("authelia",)),
    case(
        "user_metadata.read",
        "an unknown token",
        send="authelia_at_unknown",
        reply=failure("invalid token"),
        on=("authelia",),
    ),
    case(
        "user_identity.link",
        "an address by a token that is not ours",
        send={"user": {"auth_token": TOKEN}, "link_with": {"identity_token": identity("email|new@example.org")}},
        reply=failure("invalid identity token"),
        on=("authelia",),
    ),
]


@on_every_provider(CASES)
async def test_authelia(case, shared):
    await case.run(shared)


SWAP = case(
    "user_emails.set_primary",
    "a verified alternate",
    send={"user": {"auth_token": TOKEN}, "email": "ada@lovelace.example"},
    reply=done("primary email updated successfully"),
    on=("authelia",),
)


@on_every_provider([SWAP])
async def test_the_new_primary_address_and_the_old_one_change_places(case, fresh):
    await case.run(fresh)
    assert await fresh.ask("user_emails.read", {"user": {"auth_token": "ada"}}) == data(
        {
            "primary_email": "ada@lovelace.example",
            "alternate_emails": [
                {"email": "ada@example.org", "verified": True},
                {"email": "ada@unverified.example", "verified": False},
            ],
        }
    )


CLIENT = "authelia_at_client"


def _of_client(**fields):
    return {"token": CLIENT, "user_metadata": {"city": "Oslo"}, **fields}


@on_every_provider(
    [
        case(
            "user_metadata.update",
            "a client's token",
            send=_of_client(username="grace.hopper"),
            reply=data({"city": "Oslo"}),
            as_=grace,
            on=("authelia",),
        )
    ]
)
async def test_a_client_may_change_the_profile_of_the_user_it_names(case, fresh):
    fresh.world.stage.userinfo.client_tokens.add(CLIENT)
    await case.run(fresh)
    event = (await fresh.service.events())[0]
    assert (event["user_id"], event["principal"]) == ("auth0|grace.hopper", "auth0|grace.hopper")


@on_every_provider(
    [
        case(
            "user_metadata.update",
            "a client's token without a name",
            send=_of_client(),
            reply=failure("invalid token"),
            as_=ada,
            on=("authelia",),
        )
    ]
)
async def test_a_client_that_names_nobody_is_refused(case, fresh):
    fresh.world.stage.userinfo.client_tokens.add(CLIENT)
    await case.run(fresh)
