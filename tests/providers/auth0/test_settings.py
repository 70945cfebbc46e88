# SPDX-License-Identifier: MIT
"""What the provider cannot start without."""

from __future__ import annotations

import base64

import pytest

from app.domain.errors import ImpersonationUnavailable, PasswordServiceUnavailable
from app.domain.ports import Absent
from app.settings import ConfigurationError, Settings
from tests.stand_ins.auth0.keys import rsa_key


def test_one_message_names_everything_that_is_missing(monkeypatch):
    monkeypatch.setenv("USER_REPOSITORY_TYPE", "auth0")
    with pytest.raises(ConfigurationError) as error:
        Settings()
    for name in (
        "AUTH0_TENANT",
        "AUTH0_M2M_CLIENT_ID",
        "AUTH0_M2M_PRIVATE_BASE64_KEY",
        "AUTH0_AUDIENCE",
        "AUTH0_LFX_PROFILE_CLIENT_ID",
        "AUTH0_LFX_PROFILE_CLIENT_SECRET",
    ):
        assert f"{name}: required" in str(error.value)


def test_nothing_of_it_is_asked_for_when_another_provider_is_chosen():
    assert Settings().provider.type == "mock"


@pytest.mark.parametrize(
    "value", ["nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "c2VjcmV0"]
)
def test_a_wrong_key_is_named_and_not_shown(environment, value):
    environment.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", value)
    with pytest.raises(ConfigurationError) as error:
        Settings()
    assert "AUTH0_M2M_PRIVATE_BASE64_KEY" in str(error.value)
    assert value not in str(error.value)


@pytest.mark.parametrize("form", ["pem", "pkcs1"])
@pytest.mark.parametrize("encoded", [True, False])
def test_the_key_may_be_pem_of_either_form_or_base64_of_that(environment, form, encoded):
    key = rsa_key("m2m")
    pem = key.pem if form == "pem" else key.pkcs1
    pem = pem() if callable(pem) else pem
    environment.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", base64.encodebytes(pem).decode() if encoded else pem.decode())
    assert Settings().auth0.private_key_pem().get_secret_value().startswith("-----BEGIN")


@pytest.mark.parametrize("value", ["https://tenant.example", "tenant.example/x", "user@tenant.example", "a b"])
def test_a_domain_is_a_host_and_nothing_else(environment, value):
    environment.setenv("AUTH0_DOMAIN", value)
    with pytest.raises(ConfigurationError, match="AUTH0_DOMAIN"):
        Settings()


def test_the_domain_follows_from_the_tenant(environment):
    environment.delenv("AUTH0_DOMAIN")
    environment.setenv("AUTH0_TENANT", "acme")
    assert Settings().auth0.host == "acme.auth0.com"


@pytest.mark.parametrize(
    ("variable", "value", "host"),
    [("AUTH0_DOMAIN", "Tenant.EXAMPLE:8443", "tenant.example:8443"), ("AUTH0_TENANT", "ACME", "acme.auth0.com")],
)
def test_capitals_in_its_name_mean_the_same_tenant(environment, variable, value, host):
    """The tenant's tokens name it in lower case, as issuer and as audience."""
    environment.delenv("AUTH0_DOMAIN")
    environment.setenv(variable, value)
    assert Settings().auth0.host == host


@pytest.mark.usefixtures("environment")
def test_secrets_are_known_to_the_log():
    assert Settings().auth0.profile_client_secret.get_secret_value() in Settings().secrets


async def test_what_is_not_configured_is_absent(environment, opened):
    environment.delenv("AUTH0_LFX_ONE_CLIENT_ID")
    environment.delenv("AUTH0_LFX_V2_API_AUDIENCE")
    async with opened() as provider:
        assert provider.reset_links == Absent(PasswordServiceUnavailable)
        assert provider.impersonation == Absent(ImpersonationUnavailable)


async def test_the_claim_of_impersonation_can_be_left_to_the_tenant(environment, opened, tenant):
    environment.setenv("AUTH0_IMPERSONATION_REQUIRE_CLAIM", "false")
    token = tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": None})
    async with opened() as provider:
        await provider.impersonation.permit(token)
