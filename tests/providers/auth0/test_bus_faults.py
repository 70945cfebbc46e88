# SPDX-License-Identifier: MIT
"""Every way in which the tenant can fail, as callers on the bus see it: one reply in time, and no write twice.

What is answered when the time is over says `request timed out`, so each of the replies here came before that.
"""

from __future__ import annotations

import pytest

from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus

LIMITED = "identity provider rate limit reached, try again later"
NOT_FOUND = "user not found"
NO_SEARCH = "failed to search user"


def fault(kind, *args, **more):
    """Return what puts a fault in force on the operations that it is given."""

    def strike(server, operations):
        for operation in operations:
            getattr(server.tenant.faults, kind)(*args, on=operation, **more)

    return strike


FAULTS = {
    "connection refused": lambda server, _: server.refuse_connections(),
    "reset": fault("add", "reset"),
    "reset after it was done": fault("add", "reset", acts=True),
    "cut in the middle of a body": fault("add", "cut"),
    "hang": fault("add", "hang"),
    "hang in the middle of a body": fault("add", "hang_body"),
    "400": fault("status", 400),
    "401": fault("status", 401),
    "403": fault("status", 403),
    "404": fault("status", 404),
    "409": fault("status", 409),
    "429 without Retry-After": fault("too_many"),
    "429 with Retry-After": fault("too_many", retry_after="30"),
    "500": fault("status", 500),
    "502 with HTML": fault("html", 502),
    "503": fault("status", 503),
    "garbage": fault("garbage"),
    "wrong types": fault("add", "wrong_types"),
    "redirect": fault("redirect", "https://attacker.example/"),
    "expired certificate": lambda server, _: server.use_certificate("expired"),
    "certificate of another host": lambda server, _: server.use_certificate("wrong_host"),
    "gzip bomb": fault("add", "gzip_bomb"),
    "flood": fault("add", "flood"),
}


def reads(tenant):
    """Every subject that only reads, and one by each kind of search."""
    return {
        "email_to_sub": "linus@example.com",
        "email_to_username": "linus@work.example",
        "user_metadata.read": "auth0|ada",
        "user_emails.read": {"user": {"auth_token": "grace.hopper"}},
        "user_identity.list": {"user": {"auth_token": tenant.access_token("linus_t")}},
    }


OF_READS = {
    "400": NO_SEARCH,
    "401": NO_SEARCH,
    "403": NO_SEARCH,
    "404": NOT_FOUND,
    "409": NO_SEARCH,
    "429 without Retry-After": LIMITED,
    "429 with Retry-After": LIMITED,
}
"""What is heard of a fault other than that the tenant is unavailable."""
AT_ONCE = ("400", "401", "403", "404", "409")
"""With what a read is answered at once: with the others it is tried again until the time ends."""


@pytest.mark.usefixtures("on_nats")
@pytest.mark.parametrize("name", FAULTS)
async def test_reads(server, name, request):
    if name not in AT_ONCE:
        request.getfixturevalue("time_ends")
    async with on_the_bus() as bus:
        requests = reads(server.tenant)
        FAULTS[name](server, ["users*"])
        replies = await bus.ask_all(requests)
    of_an_id = {"user_metadata.read": NOT_FOUND, "user_identity.list": NOT_FOUND} if name == "400" else {}
    assert replies == {**dict.fromkeys(requests, OF_READS.get(name, UNAVAILABLE)), **of_an_id}


@pytest.mark.usefixtures("on_nats")
@pytest.mark.parametrize("operation", ["users-by-email", "users.search"])
async def test_a_search_that_is_not_found_does_not_show_that_an_address_is_free(server, operation):
    """No search of a tenant says 404: it comes from something that stands between."""
    async with on_the_bus() as bus:
        server.tenant.faults.status(404, operation)
        assert await bus.ask("email_linking.send_verification", "nobody@example.org") == NO_SEARCH
        assert server.tenant.records.count("passwordless.start") == 0
        assert await bus.ask("email_to_sub", "nobody@example.org") == NOT_FOUND


WRITES = (
    "users.create",
    "users.update",
    "identities.*",
    "passwordless.start",
    "token.otp",
    "token.exchange",
    "change_password",
)
ONCE = {
    "users.create": 2,  # for the address that is kept, and for the alias
    "users.update": 2,  # metadata, password
    "identities.link": 1,
    "identities.unlink": 1,
    "passwordless.start": 1,
    "token.otp": 1,
    "token.exchange": 1,
    "change_password": 1,
}


async def writes(bus, tenant):
    """Every subject that changes something, each by a user of its own."""
    tenant.add_user("auth0|one", username="one", social=[{"provider": "github", "user_id": 99}])
    for name in ("two", "three"):
        tenant.add_user(f"auth0|{name}", username=name, email=f"{name}@example.org")
    await bus.ask("email_linking.send_verification", "code@example.org")
    token = tenant.access_token
    return {
        "user_metadata.update": {"token": token("grace.hopper"), "user_metadata": {"city": "Oslo"}},
        "user_emails.set_primary": {"user": {"auth_token": token("linus_t")}, "email": "linus@work.example"},
        "email_linking.send_verification": "new@example.org",
        "email_linking.verify": {"email": "code@example.org", "otp": tenant.records.code_for("code@example.org")},
        "user_identity.link": {
            "user": {"auth_token": token("łukasz")},
            "link_with": {"identity_token": tenant.id_token("google-oauth2|77")},
        },
        "user_identity.unlink": {
            "user": {"auth_token": token("one")},
            "unlink": {"provider": "github", "identity_id": "99"},
        },
        "add_alias": {"user": {"auth_token": token("two")}, "alias": "two", "domain": "linux.com"},
        "password.update": {
            "token": token("ada"),
            "current_password": "correct horse battery staple",
            "new_password": "Another-long-Passw0rd!",
        },
        "password.reset_link": {"token": token("three")},
        "impersonation.token_exchange": {"subject_token": tenant.impersonator_token("ada"), "target_user": "linus_t"},
    }


OWN = {
    "user_metadata.update": "failed to update user",
    "user_emails.set_primary": "failed to set primary email",
    "email_linking.send_verification": "failed to start passwordless flow",
    "email_linking.verify": "failed to exchange OTP for token",
    "user_identity.link": "failed to link identity to user",
    "user_identity.unlink": "failed to unlink identity from user",
    "add_alias": "failed to link email identity",
    "password.update": "failed to update password",
    "password.reset_link": "failed to send password reset link",
    "impersonation.token_exchange": UNAVAILABLE,
}
DONE = {
    "email_linking.send_verification": {"success": True, "message": "alternate email verification sent"},
    "user_identity.link": {"success": True, "message": "identity linked successfully"},
    "user_identity.unlink": {"success": True, "message": "identity unlinked successfully"},
    "password.reset_link": {"success": True, "message": "password reset link sent successfully"},
}
"""Where the status says all: its body is not looked at."""
CALLERS = ("user_metadata.update", "user_identity.link", "user_identity.unlink")
"""What is done with the caller's own rights."""


OF_WRITES = {
    "400": {**OWN, "impersonation.token_exchange": "Error"},
    "401": {**OWN, **dict.fromkeys(CALLERS, "invalid token"), "impersonation.token_exchange": "Error"},
    "403": {**OWN, **dict.fromkeys(CALLERS, "missing required scope"), "impersonation.token_exchange": "Error"},
    "404": {
        **OWN,
        "user_metadata.update": NOT_FOUND,
        "user_emails.set_primary": NOT_FOUND,
        "user_identity.link": NOT_FOUND,
        "user_identity.unlink": "identity not found",
        "add_alias": NOT_FOUND,
        "password.update": NOT_FOUND,
        "impersonation.token_exchange": NOT_FOUND,
    },
    "409": {
        **OWN,
        "user_identity.link": "identity already linked to another user",
        "add_alias": "alias_not_available",
    },
    "429 without Retry-After": dict.fromkeys(OWN, LIMITED),
    "429 with Retry-After": dict.fromkeys(OWN, LIMITED),
    "garbage": DONE,
    # The profile is changed, and nothing of it can be read.
    "wrong types": {
        **DONE,
        "user_metadata.update": {"success": True, "data": {}},
        "password.update": {"success": True, "message": "password updated successfully"},
    },
}
"""What is heard of a fault other than that the tenant is unavailable."""

NEVER = dict.fromkeys(ONCE, 0)
SENT = {
    "connection refused": NEVER,
    "expired certificate": NEVER,
    "certificate of another host": NEVER,
    # What the service does in its own name is tried with a new token.
    "401": {**ONCE, "users.create": 4, "users.update": 3},
}
"""How often each write was sent, where that is not once; a 429 says that it was not done."""


TO_THE_END = (
    "connection refused",
    "hang",
    "hang in the middle of a body",
    "429 without Retry-After",
    "429 with Retry-After",
    "expired certificate",
    "certificate of another host",
)
"""With what a write lasts until the time ends: of the others none is tried again."""


@pytest.mark.usefixtures("on_nats")
@pytest.mark.parametrize("name", FAULTS)
async def test_writes(server, name, request):
    if name in TO_THE_END:
        request.getfixturevalue("time_ends")
    records = server.tenant.records
    async with on_the_bus() as bus:
        requests = await writes(bus, server.tenant)
        FAULTS[name](server, WRITES)
        records.clear()
        replies = await bus.ask_all(requests)
    assert replies == {**dict.fromkeys(OWN, UNAVAILABLE), **OF_WRITES.get(name, {})}
    if "429" not in name:
        assert {operation: records.count(operation) for operation in ONCE} == SENT.get(name, ONCE)
