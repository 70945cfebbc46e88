# SPDX-License-Identifier: MIT
"""The settings of the Auth0 provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydantic import Field, SecretStr

from app.settings.checks import check_rsa_key
from app.settings.secret_texts import pem_of
from app.settings.types import Name, SecretName, Section, Words

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::([0-9]{1,5}))?")
_PORTS: Final = range(1, 65_536)


class Auth0Settings(Section):
    """The Auth0 provider. "Required" applies only with this provider."""

    tenant: Name = Field("", validation_alias="AUTH0_TENANT", description="Required unless `AUTH0_DOMAIN` is set.")
    domain: Name = Field(
        "",
        validation_alias="AUTH0_DOMAIN",
        description="Host, with or without a port. Default: `<AUTH0_TENANT>.auth0.com`.",
    )
    m2m_client_id: Name = Field(
        "", validation_alias="AUTH0_M2M_CLIENT_ID", description="Required: client ID of the service's own application."
    )
    m2m_private_key: SecretName = Field(
        SecretStr(""),
        validation_alias="AUTH0_M2M_PRIVATE_BASE64_KEY",
        description="Required: RSA key of this application, PEM (PKCS#8 or PKCS#1) or base64 of it.",
    )
    audience: Name = Field(
        "", validation_alias="AUTH0_AUDIENCE", description="Required: audience of the service's own token."
    )
    management_audience: Name = Field(
        "",
        validation_alias="AUTH0_MANAGEMENT_AUDIENCE",
        description="Audience of callers' tokens. Default: `https://<domain>/api/v2/`.",
    )
    organization: Name = Field(
        "", validation_alias="AUTH0_ORGANIZATION", description="Organization of the service's own token."
    )
    profile_client_id: Name = Field(
        "",
        validation_alias="AUTH0_LFX_PROFILE_CLIENT_ID",
        description="Required: client ID of the application that mails one-time codes and checks passwords.",
    )
    profile_client_secret: SecretName = Field(
        SecretStr(""),
        validation_alias="AUTH0_LFX_PROFILE_CLIENT_SECRET",
        description="Required: client secret of this application.",
    )
    lfx_one_client_id: Name = Field(
        "",
        validation_alias="AUTH0_LFX_ONE_CLIENT_ID",
        description="Client ID of the application for reset links. Without it: `password service unavailable`.",
    )
    lfx_v2_api_audience: Name = Field(
        "",
        validation_alias="AUTH0_LFX_V2_API_AUDIENCE",
        description="Audience of the platform's API. Reads accept its tokens too. Impersonation needs it; without it: "
        "`impersonation flow unavailable`.",
    )
    impersonation_require_claim: bool = Field(
        default=True,
        validation_alias="AUTH0_IMPERSONATION_REQUIRE_CLAIM",
        description="Whether a token must contain a claim that its user may impersonate others.",
    )
    impersonation_audiences: Words = Field(
        (),
        validation_alias="AUTH0_IMPERSONATION_AUDIENCES",
        description="More audiences for which impersonation can be requested, comma-separated.",
    )

    events: bool = Field(
        default=False,
        validation_alias="AUTH0_EVENTS",
        description="Whether the service follows the tenant's events. Needs a plan with events, the scope "
        "`read:events` and the extra `[auth0]`.",
    )
    events_replicas: int = Field(
        1,
        validation_alias="AUTH0_EVENTS_REPLICAS",
        ge=1,
        le=5,
        description="Replicas of the bucket `auth0-events`, if the service creates it.",
    )

    @property
    def host(self) -> str:
        """The tenant's host, with its port if it has one; in lower case, as the tenant's own names of itself are."""
        return (self.domain or f"{self.tenant}.auth0.com").lower()

    def private_key(self) -> RSAPrivateKey:
        """Return the service's RSA key. Raises ValueError for anything else."""
        key: RSAPrivateKey = check_rsa_key(self.m2m_private_key.get_secret_value())
        return key

    def private_key_pem(self) -> SecretStr:
        """Return the text of that key, PEM."""
        return SecretStr(pem_of(self.m2m_private_key.get_secret_value()))

    def missing(self, bad: frozenset[str]) -> Iterator[str]:
        """Tell every variable without which this provider cannot start; `bad` names those that are set and wrong."""
        required = {
            "AUTH0_M2M_CLIENT_ID": self.m2m_client_id,
            "AUTH0_M2M_PRIVATE_BASE64_KEY": self.m2m_private_key.get_secret_value(),
            "AUTH0_AUDIENCE": self.audience,
            "AUTH0_LFX_PROFILE_CLIENT_ID": self.profile_client_id,
            "AUTH0_LFX_PROFILE_CLIENT_SECRET": self.profile_client_secret.get_secret_value(),
            "AUTH0_TENANT": self.tenant or self.domain or "AUTH0_DOMAIN" in bad,
        }
        return (f"{name}: required for auth0" for name, value in required.items() if not value and name not in bad)

    def wrong(self) -> Iterator[str]:
        """Tell every variable that is set to what this provider cannot use. It is asked when it is the provider."""
        host = _HOST.fullmatch(self.domain)
        usable = host is not None and int(host[1] or 443) in _PORTS
        if self.domain and not usable:
            yield "AUTH0_DOMAIN: must be a host name"
        if self.tenant and not usable and not _HOST.fullmatch(f"{self.tenant}.auth0.com"):
            yield "AUTH0_TENANT: must be the first part of a host name"
        if self.m2m_private_key.get_secret_value():
            try:
                self.private_key()
            except ValueError as error:
                yield f"AUTH0_M2M_PRIVATE_BASE64_KEY: {error}"
