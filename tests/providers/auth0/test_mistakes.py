# SPDX-License-Identifier: MIT
"""What one caller does to others: their own limits hold up nobody else, and their mistakes raise no alert."""

from __future__ import annotations

import asyncio

import pytest

from tests.providers.auth0.bus import on_the_bus
from tests.providers.auth0.users import PASSWORD

LIMITED = "identity provider rate limit reached, try again later"
NO_CODE = "failed to exchange OTP for token"
REQUESTS = "auth_service_requests_total"
CALLS = "auth_service_upstream_calls_total"
NEW_PASSWORD = "Another-long-Passw0rd!"


def sent_code(tenant):
    return {"email": "code@example.org", "otp": tenant.records.code_for("code@example.org")}


LIMITS = {
    "passwordless.start": ("email_linking.send_verification", lambda _: "new@example.org", LIMITED),
    "token.otp": ("email_linking.verify", sent_code, LIMITED),
    "change_password": (
        "password.reset_link",
        lambda tenant: {"token": tenant.access_token("ada")},
        LIMITED,
    ),
    "token.exchange": (
        "impersonation.token_exchange",
        lambda tenant: {"subject_token": tenant.impersonator_token("ada"), "target_user": "linus_t"},
        LIMITED,
    ),
    "token.password": (
        "password.update",
        lambda tenant: {
            "token": tenant.access_token("ada"),
            "current_password": PASSWORD,
            "new_password": NEW_PASSWORD,
        },
        "too many attempts, try again later",
    ),
}
"""By the operation that the tenant limits for one user or address: what meets the limit, and what is said of it."""


@pytest.mark.usefixtures("on_nats")
@pytest.mark.parametrize("operation", LIMITS)
async def test_a_limit_of_one_user_is_told_at_once_and_holds_up_nobody(tenant, operation):
    subject, body, told = LIMITS[operation]
    async with on_the_bus() as bus:
        await bus.ask("email_linking.send_verification", "code@example.org")
        before, sent = bus.counted(REQUESTS), tenant.records.count(operation)
        tenant.faults.too_many(operation, retry_after="60", reset=int(tenant.now()) + 60, times=1)
        assert await bus.ask(subject, body(tenant)) == told
        assert tenant.records.count(operation) == sent + 1
        assert bus.counted(REQUESTS).get("limit", 0) == before.get("limit", 0) + 1
        others = {subject: body(tenant) for subject, body, _ in LIMITS.values()}
        # With the lane closed for a minute, each of these would wait to the end of its twenty seconds.
        async with asyncio.timeout(15):
            replies = await bus.ask_all(others)
        assert {subject: reply["success"] for subject, reply in replies.items()} == dict.fromkeys(others, True)
        assert bus.counted(CALLS).keys() == {"ok", "refused"}


MISTAKES = {
    "a wrong code": ("email_linking.verify", lambda _: {"email": "code@example.org", "otp": "x"}, NO_CODE),
    "a code that nobody sent": ("email_linking.verify", lambda _: {"email": "a@example.org", "otp": "1"}, NO_CODE),
    "an address to which nothing can be sent": (
        "email_linking.send_verification",
        lambda _: "nobody@localhost",
        "failed to search user",
    ),
    "a wrong password": (
        "password.update",
        lambda tenant: {"token": tenant.access_token("ada"), "current_password": "x", "new_password": "y"},
        "incorrect password: current password is incorrect",
    ),
    "nobody to be impersonated": (
        "impersonation.token_exchange",
        lambda tenant: {"subject_token": tenant.impersonator_token("ada"), "target_user": "nobody"},
        "invalid_request: The target user is unknown.",
    ),
    "nobody by that address": ("email_to_sub", lambda _: "nobody@example.org", "user not found"),
    "an address that the tenant takes for none": (
        "email_to_sub",
        lambda _: "nobody@localhost",
        "failed to search user",
    ),
    "nobody by that name": ("user_metadata.read", lambda _: "nobody", "user not found"),
    "an id that the tenant takes for none": ("user_metadata.read", lambda _: "auth0|\x00", "user not found"),
    "an identity token that is none of the tenant's": (
        "user_identity.link",
        lambda tenant: {
            "user": {"auth_token": tenant.access_token("ada")},
            "link_with": {"identity_token": f"{tenant.id_token('github|77')[:-8]}AAAAAAAA"},
        },
        "failed to link identity to user",
    ),
    "an identity that is somebody else's": (
        "user_identity.link",
        lambda tenant: {
            "user": {"auth_token": tenant.access_token("linus_t")},
            "link_with": {"identity_token": tenant.id_token("google-oauth2|1029")},
        },
        "identity already linked to another user",
    ),
    "an identity that is the account itself": (
        "user_identity.unlink",
        lambda tenant: {
            "user": {"auth_token": tenant.access_token("ada")},
            "unlink": {"provider": "auth0", "identity_id": "ada"},
        },
        "identity not found",
    ),
    "an id of an e-mail identity that the tenant takes for none": (
        "user_identity.unlink",
        lambda tenant: {
            "user": {"auth_token": tenant.access_token("ada")},
            "unlink": {"provider": "email", "identity_id": "x" * 300},
        },
        "failed to evaluate system-managed unlink guard",
    ),
    "a token that the tenant does not take": (
        "user_metadata.update",
        lambda tenant: {"token": tenant.access_token("ada", lifetime=-60), "user_metadata": {"city": "Oslo"}},
        "token has expired",
    ),
}
"""What callers do wrong: the subject, the body, and what is told."""


@pytest.mark.usefixtures("on_nats")
async def test_no_mistake_of_a_caller_counts_as_a_failure_of_the_provider(tenant):
    async with on_the_bus() as bus:
        await bus.ask("email_linking.send_verification", "code@example.org")
        for title, (subject, body, told) in MISTAKES.items():
            before = bus.counted(REQUESTS)
            assert await bus.ask(subject, body(tenant)) == told, title
            grown = {outcome for outcome, n in bus.counted(REQUESTS).items() if n != before.get(outcome, 0)}
            assert grown <= {"caller_error", "conflict"}, title
        assert bus.counted(CALLS).keys() == {"ok", "refused"}


@pytest.mark.usefixtures("on_nats")
@pytest.mark.parametrize("operation", ["token.otp", "passwordless.start", "token.password"])
async def test_an_application_that_is_refused_is_no_callers_fault(tenant, operation):
    subject, body, _ = LIMITS[operation]
    async with on_the_bus() as bus:
        await bus.ask("email_linking.send_verification", "code@example.org")
        tenant.faults.json({"error": "unauthorized_client", "error_description": "Grant not allowed"}, operation, 403)
        assert (await bus.ask(subject, body(tenant))).startswith("failed to ")
        assert bus.counted(REQUESTS) == {"success": 1, "upstream_error": 1}


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("token.otp", NO_CODE),
        ("passwordless.start", "failed to start passwordless flow"),
        ("token.password", "incorrect password: current password is incorrect"),
    ],
)
async def test_a_wrong_secret_of_the_profile_application_is_no_callers_fault(tenant, on_nats, operation, told):
    subject, body, _ = LIMITS[operation]
    async with on_the_bus() as bus:
        await bus.ask("email_linking.send_verification", "code@example.org")
    on_nats.setenv("AUTH0_LFX_PROFILE_CLIENT_SECRET", "one-that-was-rotated")
    async with on_the_bus() as bus:
        assert await bus.ask(subject, body(tenant)) == told
        assert bus.counted(REQUESTS) == {"upstream_error": 1}


@pytest.mark.usefixtures("on_nats")
async def test_rights_that_the_service_lacks_are_no_callers_fault(tenant):
    async with on_the_bus() as bus:
        tenant.faults.status(403, "users*")
        assert await bus.ask("email_to_sub", "ada@example.org") == "failed to search user"
        assert bus.counted(REQUESTS) == {"upstream_error": 1}
