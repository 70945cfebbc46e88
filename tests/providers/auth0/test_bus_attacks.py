# SPDX-License-Identifier: MIT
"""What attackers send, over the bus: each is refused, and the tenant hears nothing of it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.providers.auth0.bus import on_the_bus
from tests.stand_ins.auth0.forgery import FOREIGN, hs256
from tests.stand_ins.auth0.keys import compact, parsed, rsa_key

pytestmark = pytest.mark.usefixtures("on_nats")

ACTING = {
    "user_metadata.update": lambda token, _: {"token": token, "user_metadata": {"city": "Oslo"}},
    "user_emails.set_primary": lambda token, _: {"user": {"auth_token": token}, "email": "ada@lovelace.example"},
    "user_identity.link": lambda token, tenant: {
        "user": {"auth_token": token},
        "link_with": {"identity_token": tenant.id_token("google-oauth2|77")},
    },
    "user_identity.unlink": lambda token, _: {
        "user": {"auth_token": token},
        "unlink": {"provider": "google-oauth2", "identity_id": "1029"},
    },
    "add_alias": lambda token, _: {"user": {"auth_token": token}, "alias": "ada.l", "domain": "linux.com"},
    "password.update": lambda token, _: {
        "token": token,
        "current_password": "correct horse battery staple",
        "new_password": "Another-long-Passw0rd!",
    },
    "password.reset_link": lambda token, _: {"token": token},
}
"""What acts on an account, given a token."""

OTHERWISE = {
    "another issuer": "invalid issuer",
    "the issuer without slash": "invalid issuer",
    "no issuer": "invalid issuer",
    "an ID token": "invalid audience",
    "another audience": "invalid audience",
    "no audience": "invalid audience",
    "the client as audience": "invalid audience",
}
"""The attacks of which the caller hears more than that the token is invalid."""


def heard(tenant):
    """The operations that the tenant was asked for, without what the service needs for itself."""
    return set(tenant.records.calls) - {"jwks", "token.client_credentials"}


@pytest.mark.parametrize("subject", ACTING)
async def test_no_forged_or_misused_token_acts(tenant, subject):
    attacks = tenant.attacks("ada")
    async with on_the_bus() as bus:
        replies = await bus.ask_all({f"{subject} {name}": ACTING[subject](attacks[name], tenant) for name in attacks})
    assert len(attacks) >= 33
    assert replies == {f"{subject} {name}": OTHERWISE.get(name, "invalid token") for name in attacks}
    assert heard(tenant) == set()


@pytest.mark.parametrize("subject", ACTING)
async def test_nobody_acts_on_a_name(tenant, subject):
    names = ("auth0|ada", "ada", "ada@example.org", "Bearer auth0|ada", "google-oauth2|2048", "*", "a.b.c")
    async with on_the_bus() as bus:
        replies = await bus.ask_all({f"{subject} {name}": ACTING[subject](name, tenant) for name in names})
    assert set(replies.values()) == {"invalid token"}
    assert heard(tenant) == set()


async def test_no_token_is_read_on_another_ones_word(tenant):
    attacks = tenant.attacks("ada")
    # These two do not even look like tokens, and no user is called so.
    told = {**OTHERWISE, "padding": "user not found", "a line feed inside": "user not found"}
    async with on_the_bus() as bus:
        replies = await bus.ask_all({f"user_metadata.read {name}": attacks[name] for name in attacks})
    assert replies == {f"user_metadata.read {name}": told.get(name, "invalid token") for name in attacks}
    assert heard(tenant) <= {"users.search", "users.get"}


async def test_no_forged_token_impersonates(tenant):
    key, foreign = tenant.tokens.keys.current, rsa_key(FOREIGN)
    genuine = tenant.impersonator_token("ada")
    claims = parsed(genuine)[1]
    tokens = {
        "none": f"{compact({'alg': 'none', 'kid': key.kid}, claims)}.",
        "PEM": hs256(key.public(Encoding.PEM), claims, kid=key.kid),
        "DER": hs256(key.public(Encoding.DER), claims, kid=key.kid),
        "foreign": foreign.under(key.kid).sign(claims),
        "jwk": foreign.under(key.kid).sign(claims, jwk=foreign.jwk),
        "crit": key.sign(claims, crit=["exp"]),
        "issuer": tenant.impersonator_token("ada", iss="https://attacker.example/"),
        "audience": tenant.impersonator_token("ada", aud=tenant.tokens.management_audience),
        "expired": tenant.impersonator_token("ada", lifetime=-60),
        "name": "auth0|ada",
    }
    others = {"issuer": "invalid issuer", "audience": "invalid audience", "expired": "token has expired"}
    subject = "impersonation.token_exchange"
    async with on_the_bus() as bus:
        replies = await bus.ask_all(
            {f"{subject} {name}": {"subject_token": token, "target_user": "linus_t"} for name, token in tokens.items()}
        )
    assert replies == {f"{subject} {name}": others.get(name, "invalid token") for name in tokens}
    assert heard(tenant) == set()


LUCENE = (
    "*",
    "ada*",
    "a?a",
    "[a TO z]",
    "ada~",
    "/.*/",
    '" OR user_id:"auth0|ada',
    'x" OR identities.user_id:*',
    'x\\" OR identities.user_id:"ada',
    "\\",
    '"',
    '\\"',
    "ada OR linus_t",
    "ada)) OR ((x",
    "nobody\nOR ada",
    "_exists_:email",
)


async def test_no_query_finds_more_than_what_it_names(tenant):
    async with on_the_bus() as bus:
        replies = await bus.ask_all({f"user_metadata.read {text}": text for text in LUCENE})
        addresses = await bus.ask_all({f"email_to_sub {text}": f'"{text}"@example.org' for text in LUCENE})
        bare = await bus.ask_all({f"email_to_sub {text}": text for text in LUCENE})
    assert set(replies.values()) == set(addresses.values()) == set(bare.values()) == {"user not found"}
    searches = tenant.records.of("users.search")
    assert len(searches) >= len(LUCENE) - 1  # one holds a bar, and is taken for an id
    assert {(search.status, search.sent) for search in searches} == {(200, b"[]")}


TRAVERSALS = (
    "..",
    ".",
    "%2e%2e",
    "%2E%2E%2F%2E%2E",
    "../..",
    "..%2f..",
    "x/../../..",
    "/",
    "//",
    "\\..\\..",
    "?fields=x",
    "#",
    "1029/../../../auth0%7Clinus_t",
    ";x",
    "1029\r\nX-Evil: 1",
    "1029 HTTP/1.1\r\nX-Evil: 1\r\n\r\nDELETE /api/v2/users/auth0%7Clinus_t",
    "\x00",
)


async def test_no_identity_leads_to_another_path(tenant):
    token = {"auth_token": tenant.access_token("ada")}
    before = tenant.user("ada").profile
    async with on_the_bus() as bus:
        for part in TRAVERSALS:
            for unlink in ({"provider": part, "identity_id": "1029"}, {"provider": "x", "identity_id": part}):
                reply = await bus.ask("user_identity.unlink", {"user": token, "unlink": unlink})
                assert reply in {"identity not found", "identity_id is required", "provider is required"}, part
    assert heard(tenant) <= {"identities.unlink"}
    assert tenant.user("ada").profile == before
    assert not any("x-evil" in exchange.headers for exchange in tenant.records.exchanges)


async def test_no_reference_leads_to_another_path(tenant):
    async with on_the_bus() as bus:
        for part in TRAVERSALS:
            for reference in (f"auth0|{part}", f"{part}|ada", f"auth0|ada/{part}", f"{part}|{part}"):
                assert await bus.ask("user_metadata.read", reference) == "user not found", reference
    assert heard(tenant) == {"users.get"}
    assert not any("x-evil" in exchange.headers for exchange in tenant.records.exchanges)


@pytest.mark.parametrize("subject", ACTING)
async def test_no_token_carries_a_header_along(tenant, subject):
    genuine = tenant.access_token("ada")
    tokens = (
        f"{genuine}\r\nX-Evil: 1",
        f"X\r\nX-Evil: 1\r\n{genuine}",
        f"{genuine}\nX-Evil: 1",
        f"{genuine}\x00",
        f"{genuine} {genuine}",
        f"{genuine},{genuine}",
    )
    async with on_the_bus() as bus:
        replies = await bus.ask_all(
            {f"{subject} {number}": ACTING[subject](token, tenant) for number, token in enumerate(tokens)}
        )
    assert set(replies.values()) == {"invalid token"}
    assert heard(tenant) == set()
