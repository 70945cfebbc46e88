"""What changes an account, and what is left when it goes wrong."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from loguru import logger
from pydantic import SecretStr

from app.domain.errors import (
    AliasNotAvailable,
    CodeExchangeFailed,
    GuardFailed,
    IdentityLinkedElsewhere,
    IdentityNotFound,
    ImpersonationNotAllowed,
    ImpersonationRefused,
    IncorrectPassword,
    InternalError,
    InvalidToken,
    LinkEmailFailed,
    MissingScope,
    NoDatabaseUser,
    PasswordTooWeak,
    ProviderUnavailable,
    RateLimited,
    SystemManagedIdentity,
    TooManyAttempts,
)
from app.domain.tokens import Caller
from app.domain.users import Address
from tests.providers.auth0.conftest import until, within

ALIAS = Address("ada.lovelace@linux.com")
PASSWORD = "correct horse battery staple"


def caller(tenant, who="ada", **more) -> Caller:
    return Caller(tenant.subject(who), SecretStr(tenant.access_token(who, **more)))


def addresses(tenant, who="ada") -> list[str]:
    return [i.get("profileData", {}).get("email", "") for i in tenant.user(who).profile["identities"]]


def stubs(tenant) -> list[str]:
    return [user_id for user_id in tenant.accounts.by_id if user_id.startswith("email|")]


async def test_metadata_is_changed_with_the_callers_token_and_merged(provider, tenant):
    who = caller(tenant)
    user = await provider.profiles.update_metadata(who, {"city": "Oslo"})
    assert (user.user_metadata["city"], user.user_metadata["country"]) == ("Oslo", "GB")
    (exchange,) = tenant.records.of("users.update")
    assert exchange.bearer == who.token.get_secret_value()
    assert exchange.fields() == {"user_metadata": {"city": "Oslo"}}


@pytest.mark.parametrize(
    ("status", "error"), [(401, InvalidToken), (403, MissingScope), (429, RateLimited), (500, ProviderUnavailable)]
)
async def test_a_refusal_of_the_callers_token_is_the_callers(provider, tenant, status, error):
    within(0.5)
    tenant.faults.status(status, on="users.update")
    with pytest.raises(error):
        await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert tenant.records.count("users.update") == 1 or status == 429


async def test_a_write_whose_answer_was_lost_is_not_repeated(provider, tenant):
    tenant.faults.add("reset", "users.update", acts=True)
    with pytest.raises(ProviderUnavailable):
        await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert tenant.records.count("users.update") == 1


async def test_a_deletion_whose_answer_was_lost_is_not_repeated(provider, tenant):
    who = caller(tenant)
    tenant.faults.add("reset", "identities.unlink")
    with pytest.raises(ProviderUnavailable):
        await provider.identities.unlink(who, "google-oauth2", "1029")
    assert tenant.records.count("identities.unlink") == 1


async def test_a_write_that_met_a_rate_limit_is_repeated(provider, tenant):
    tenant.faults.too_many("users.update", times=1)
    user = await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert user.user_metadata["city"] == "Oslo"
    assert tenant.records.count("users.update") == 2


async def test_the_old_primary_address_is_kept_as_an_identity(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    profile = tenant.user("ada").profile
    assert (profile["email"], profile["email_verified"]) == ("ada@lovelace.example", True)
    assert {"ada@example.org", "ada@lovelace.example"} <= set(addresses(tenant))
    (made,) = tenant.records.of("users.create")
    assert "app_metadata" not in made.fields()


async def test_nothing_is_changed_when_the_old_primary_cannot_be_kept(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.status(500, on="identities.link")
    with pytest.raises(ProviderUnavailable):
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert tenant.user("ada").profile["email"] == "ada@example.org"
    assert stubs(tenant) == []
    assert tenant.records.count("users.update") == 0


async def test_what_was_kept_stays_when_the_last_step_fails(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.status(500, on="users.update")
    with pytest.raises(ProviderUnavailable):
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert "ada@example.org" in addresses(tenant)


async def test_a_passwordless_account_of_the_old_primary_is_linked(provider, tenant):
    tenant.add_user("email|old1", email="ada@example.org")
    user = await provider.directory.by_subject("auth0|ada")
    await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert "ada@example.org" in addresses(tenant)


async def test_a_link_whose_answer_was_lost_counts_when_it_was_made(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.add("reset", "identities.link", acts=True)
    await provider.aliases.claim(user, ALIAS)
    assert ALIAS in addresses(tenant)


async def test_an_alias_is_an_identity_of_the_account(provider, tenant):
    await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    assert ALIAS in addresses(tenant)
    assert stubs(tenant) == []


async def test_of_two_claims_at_once_one_wins(provider, tenant):
    ada, grace = [await provider.directory.by_subject(s) for s in ("auth0|ada", "auth0|grace.hopper")]
    outcomes = await asyncio.gather(
        provider.aliases.claim(ada, ALIAS), provider.aliases.claim(grace, ALIAS), return_exceptions=True
    )
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [AliasNotAvailable]
    assert (addresses(tenant) + addresses(tenant, "grace.hopper")).count(ALIAS) == 1


async def test_a_stub_that_cannot_be_linked_is_removed(provider, tenant):
    tenant.faults.status(500, on="identities.link")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    assert stubs(tenant) == []


@pytest.mark.parametrize(("age", "claimed"), [(61, True), (30, False)])
async def test_a_stub_that_a_crash_left_is_linked_after_a_minute(provider, tenant, age, claimed):
    made = datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    tenant.add_user("email|left", email=ALIAS, app_metadata={"system_managed": True}, created_at=made)
    user = await provider.directory.by_subject("auth0|ada")
    if claimed:
        await provider.aliases.claim(user, ALIAS)
        assert ALIAS in addresses(tenant)
    else:
        with pytest.raises(AliasNotAvailable):
            await provider.aliases.claim(user, ALIAS)


async def test_a_users_own_passwordless_account_is_not_taken_for_an_alias(provider, tenant):
    tenant.add_user("email|own", email=ALIAS, created_at="2020-01-01T00:00:00.000Z")
    with pytest.raises(AliasNotAvailable):
        await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)


async def test_an_identity_is_linked_with_the_callers_token(provider, tenant):
    who = caller(tenant)
    await provider.identities.link(who, tenant.id_token("google-oauth2|77", email="x@y.example"), "google-oauth2|77")
    (exchange,) = tenant.records.of("identities.link")
    assert exchange.bearer == who.token.get_secret_value()
    assert any(str(i["user_id"]) == "77" for i in tenant.user("ada").profile["identities"])


async def test_what_is_linked_to_the_account_already_is_left_alone(provider, tenant):
    await provider.identities.link(caller(tenant), tenant.id_token("google-oauth2|1029"), "google-oauth2|1029")
    assert tenant.records.count("identities.link") == 0


async def test_what_is_linked_to_another_account_stays_there(provider, tenant):
    with pytest.raises(IdentityLinkedElsewhere):
        await provider.identities.link(
            caller(tenant, "linus_t"), tenant.id_token("google-oauth2|1029"), "google-oauth2|1029"
        )


async def test_an_identity_is_unlinked_by_the_id_that_the_list_gives(provider, tenant):
    user = await provider.directory.by_subject("auth0|linus_t")
    github = next(i for i in user.identities if i.provider == "github")
    await provider.identities.unlink(caller(tenant, "linus_t"), "github", github.identity_id)
    assert not any(i["provider"] == "github" for i in tenant.user("linus_t").profile["identities"])


@pytest.mark.parametrize(
    ("kind", "identity_id"), [("google-oauth2", "9999"), (".", ".."), ("..", "x"), ("email", "../../x"), ("email", ".")]
)
async def test_what_is_not_on_the_account_is_not_found_and_nobody_is_deleted(provider, tenant, kind, identity_id):
    with pytest.raises(IdentityNotFound):
        await provider.identities.unlink(caller(tenant), kind, identity_id)
    assert tenant.records.count("users.delete") == 0
    assert "auth0|ada" in tenant.accounts.by_id


@pytest.mark.parametrize("kind", ["email", "Email"])
async def test_an_alias_cannot_be_unlinked(provider, tenant, kind):
    await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    alias = (await provider.directory.by_subject("auth0|ada")).email_identity(ALIAS)
    with pytest.raises(SystemManagedIdentity):
        await provider.identities.unlink(caller(tenant), kind, alias.identity_id)
    assert ALIAS in addresses(tenant)


async def test_a_further_address_can_be_unlinked(provider, tenant):
    address = Address("ada@lovelace.example")
    identity = (await provider.directory.by_subject("auth0|ada")).email_identity(address)
    await provider.identities.unlink(caller(tenant), "email", identity.identity_id)
    assert address not in addresses(tenant)


async def test_nothing_is_unlinked_when_the_guard_cannot_tell(provider, tenant):
    within(0.5)
    identity = (await provider.directory.by_subject("auth0|ada")).email_identity(Address("ada@lovelace.example"))
    tenant.faults.status(500, on="GET /api/v2/users/email*")
    with pytest.raises(GuardFailed):
        await provider.identities.unlink(caller(tenant), "email", identity.identity_id)
    assert tenant.records.count("identities.unlink") == 0


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


async def test_who_may_impersonate_gets_a_token_of_the_other(provider, tenant):
    token = tenant.impersonator_token("ada")
    assert await provider.impersonation.subject_of(token) == "auth0|ada"
    assert await provider.impersonation.exchange(token, "linus_t")


async def test_who_may_not_impersonate_is_refused(provider, tenant):
    for claim in (None, False, "true", 1):
        token = tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": claim})
        with pytest.raises(ImpersonationNotAllowed):
            await provider.impersonation.subject_of(token)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            {"error": "access_denied", "error_description": "No\nsuch\tuser \u2028here"},
            "access_denied: No such user  here",
        ),
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "x", "error_description": "y" * 400}, "x: " + "y" * 297),
    ],
)
async def test_a_refusal_of_impersonation_is_passed_on_in_one_line(provider, tenant, content, line):
    tenant.faults.json(content, "token.exchange", 403)
    with pytest.raises(ImpersonationRefused) as refused:
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t")
    assert refused.value.wire == line


async def test_our_own_credentials_being_refused_is_our_fault(provider, tenant):
    tenant.faults.json({"error": "invalid_client", "error_description": "secret"}, "token.exchange", 401)
    with pytest.raises(InternalError):
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t")


async def test_an_exchange_without_a_token_is_no_success(provider, tenant):
    tenant.faults.json({"token_type": "Bearer"}, "token.exchange")
    with pytest.raises(ProviderUnavailable):
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t")


async def test_who_was_refused_impersonation_is_named_for_the_audit(provider, tenant):
    with pytest.raises(ImpersonationNotAllowed) as refused:
        await provider.impersonation.subject_of(
            tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": False})
        )
    assert refused.value.subject == "auth0|ada"


async def test_once_a_write_was_sent_what_follows_is_not_cut_off(provider, tenant):
    deadline = within(2.0)
    await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert deadline.committed


async def test_a_write_that_never_left_commits_to_nothing(provider, server):
    who = caller(server.tenant)
    await provider.directory.by_subject("auth0|ada")
    server.refuse_connections()
    await asyncio.sleep(0.05)  # until the connections that were kept are seen to be closed
    deadline = within(0.5)
    with pytest.raises(ProviderUnavailable):
        await provider.profiles.update_metadata(who, {"city": "Oslo"})
    assert not deadline.committed


async def test_a_wrong_password_commits_to_nothing(provider, tenant):
    deadline = within(2.0)
    with pytest.raises(IncorrectPassword):
        await provider.passwords.change(caller(tenant), "wrong", "Another-long-Passw0rd!")
    assert not deadline.committed


async def test_a_stub_is_removed_though_the_time_for_the_reply_is_over(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    deadline = within(0.6)
    tenant.faults.add("hang", "identities.link")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(user, ALIAS)
    assert deadline.remaining() == 0
    assert stubs(tenant) == []


async def test_what_could_not_be_undone_is_logged_as_such(provider, tenant):
    records = []
    handler = logger.add(lambda message: records.append(message.record), level="ERROR")
    user = await provider.directory.by_subject("auth0|ada")
    within(0.5)
    tenant.faults.status(500, on="identities.link")
    tenant.faults.status(403, on="users.delete")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(user, ALIAS)
    logger.remove(handler)
    assert [record["message"] for record in records] == ["a half-made e-mail identity could not be removed"]


async def test_a_read_begun_after_a_write_does_not_join_one_begun_before(provider, tenant):
    tenant.faults.add("delay", "users.get", seconds=0.4, times=1)
    before = asyncio.create_task(provider.directory.resolve("auth0|ada"))
    await until(lambda: tenant.records.count("users.get") > 0)
    await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    after = await provider.directory.resolve("auth0|ada")
    assert after.user_metadata["city"] == "Oslo"
    assert tenant.records.count("users.get") == 2
    await before
