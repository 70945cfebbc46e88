# SPDX-License-Identifier: MIT
"""Settings of `auth-service tenant` beside those of the Auth0 provider. The service itself never reads them."""

from __future__ import annotations

from pydantic import Field, SecretStr

from app.settings.types import Name, SecretName, Section


class AdministrationSettings(Section):
    """How `auth-service tenant` logs in as an administrator."""

    token: SecretName = Field(
        SecretStr(""), validation_alias="AUTH0_ADMIN_TOKEN", description="A token for the Management API."
    )
    client_id: Name = Field(
        "", validation_alias="AUTH0_ADMIN_CLIENT_ID", description="Client ID of an application that gets such a token."
    )
    client_secret: SecretName = Field(
        SecretStr(""), validation_alias="AUTH0_ADMIN_CLIENT_SECRET", description="Client secret of this application."
    )
