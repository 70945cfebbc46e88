# SPDX-License-Identifier: MIT
"""What `auth-service tenant` is told beside the settings of the Auth0 provider; the service itself never reads it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from app.settings.types import Section


class AdministrationSettings(Section):
    """Rights of an administrator of the tenant."""

    token: SecretStr = Field(
        SecretStr(""), validation_alias="AUTH0_ADMIN_TOKEN", description="A token for the Management API."
    )
    client_id: str = Field(
        "", validation_alias="AUTH0_ADMIN_CLIENT_ID", description="An application that gets such a token."
    )
    client_secret: SecretStr = Field(
        SecretStr(""), validation_alias="AUTH0_ADMIN_CLIENT_SECRET", description="Its client secret."
    )
