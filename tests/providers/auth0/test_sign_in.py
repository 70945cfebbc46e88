# SPDX-License-Identifier: MIT
"""Passwords, reset links and codes: what goes to the Authentication API."""

from __future__ import annotations

import pytest

from app.domain.errors import (
    CodeExchangeFailed,
    IncorrectPassword,
    NoDatabaseUser,
    PasswordTooWeak,
    PasswordUpdateFailed,
    ProviderUnavailable,
    TooManyAttempts,
)
from app.domain.users import Address
from tests.providers.auth0.users import PASSWORD, caller


async def test_a_password_is_changed_after_the_current_one_was_checked(provider, tenant):
    await provider.passwords.change(caller(tenant), PASSWORD, "Another-long-Passw0rd!")
    (exchange,) = tenant.records.of("users.update")
    assert exchange.fields() == {"password": "Another-long-Passw0rd!", "connection": "Username-Password-Authentication"}


async def test_a_wrong_password_changes_nothing(provider, tenant):
    with pytest.raises(IncorrectPassword):
        await provider.passwords.change(caller(tenant), "wrong", "Another-long-Passw0rd!")
    assert tenant.records.count("users.update") == 0


async def test_a_new_password_that_is_too_weak_is_refused(provider, tenant):
    with pytest.raises(PasswordTooWeak):
        await provider.passwords.change(caller(tenant), PASSWORD, "abc")


REFUSALS = {
    "in the message": ({"message": "PasswordDictionaryError: Password is too common"}, PasswordTooWeak),
    "in words": ({"message": "The password is too weak."}, PasswordTooWeak),
    "in the code": ({"errorCode": "password_no_user_info_error"}, PasswordTooWeak),
    "behind a long message": ({"message": "x" * 1_000_000, "name": "PasswordHistoryError"}, PasswordTooWeak),
    "of something else": ({"message": "Connection does not exist: Password, Error"}, PasswordUpdateFailed),
    "by nothing": ({}, PasswordUpdateFailed),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_by_what_a_new_password_that_is_too_weak_is_known(provider, tenant, name):
    said, error = REFUSALS[name]
    tenant.faults.json(said, "users.update", status=400)
    with pytest.raises(error):
        await provider.passwords.change(caller(tenant), PASSWORD, "Another-long-Passw0rd!")


NO_PROOF = {
    "a page": {"body": "<html></html>", "content_type": "text/html"},
    "nothing": {"status": 204},
    "no object": {"body": "[]"},
    "no token": {"body": '{"token_type": "Bearer"}'},
    "an empty token": {"body": '{"access_token": ""}'},
    "no text for a token": {"body": '{"access_token": 5}'},
}


@pytest.mark.parametrize("name", NO_PROOF)
async def test_only_a_token_shows_that_the_current_password_is_right(provider, tenant, name):
    """RFC 6749, section 5.1. Anything else with a good status comes from something that stands between."""
    tenant.faults.add("reply", "token.password", **{"status": 200, **NO_PROOF[name]})
    with pytest.raises(ProviderUnavailable):
        await provider.passwords.change(caller(tenant), "wrong", "Another-long-Passw0rd!")
    assert (tenant.records.count("token.password"), tenant.records.count("users.update")) == (1, 0)


async def test_too_many_sign_ins_are_told_at_once_and_slow_nobody_down(provider, tenant):
    tenant.faults.too_many("token.password", retry_after="60")
    with pytest.raises(TooManyAttempts):
        await provider.passwords.change(caller(tenant), PASSWORD, "Another-long-Passw0rd!")
    assert tenant.records.count("token.password") == 1
    await provider.verification.send_code(Address("new@example.org"))


async def test_an_account_without_a_password_cannot_change_it(provider, tenant):
    with pytest.raises(NoDatabaseUser):
        await provider.passwords.change(caller(tenant, "google-oauth2|2048"), PASSWORD, "Another-long-Passw0rd!")


async def test_a_reset_link_is_mailed(provider, tenant):
    await provider.reset_links.send(Address("ada@example.org"))
    assert [(mail.to, bool(mail.link)) for mail in tenant.records.mails] == [("ada@example.org", True)]


async def test_a_code_is_sent_and_exchanged(provider, tenant):
    await provider.verification.send_code(Address("new@example.org"))
    proof = await provider.verification.redeem(Address("new@example.org"), tenant.records.code_for("new@example.org"))
    assert proof.token_type == "Bearer"
    assert proof.id_token.count(".") == 2


async def test_a_wrong_code_is_refused(provider):
    await provider.verification.send_code(Address("new@example.org"))
    with pytest.raises(CodeExchangeFailed):
        await provider.verification.redeem(Address("new@example.org"), "nope")


async def test_an_id_token_for_another_address_proves_nothing(provider, tenant):
    other = tenant.id_token("email|x", exists=False, email="other@example.org")
    tenant.faults.json({"id_token": other, "access_token": "a", "token_type": "Bearer"}, "token.otp")
    with pytest.raises(CodeExchangeFailed):
        await provider.verification.redeem(Address("new@example.org"), "123456")
