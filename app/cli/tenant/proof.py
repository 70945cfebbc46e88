# SPDX-License-Identifier: MIT
"""Tests whether the tenant accepts a key's signatures, for keys registered by hand under a key id of the tenant."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from app.cli.tenant.errors import Refused
from providers.auth0.tokens.credentials import Assertions, client_proof

if TYPE_CHECKING:
    from app.cli.tenant.admin_api import AdminApi
    from app.cli.tenant.keys import KeyPair
    from app.cli.tenant.tenant import Wanted

_OPERATION: Final = "ask for a token"
_ALLOWS_LESS: Final = ("unauthorized_client", "invalid_scope")
"""Refusals of a client that has proved who it is (RFC 6749, section 5.2); 403 is one too."""


async def proves(admin: AdminApi, key: KeyPair, client_id: str, wanted: Wanted) -> bool:
    """Ask for a token as the service would, by an assertion (RFC 7523), and throw it away. Raises TenantError."""
    assertions = Assertions(client_id, key.private, f"https://{admin.host}/", time.time)
    organization = wanted.settings.organization
    fields = {"grant_type": "client_credentials", "audience": wanted.audience}
    if organization:
        fields["organization"] = organization
    status, answer = await admin.ask(_OPERATION, lambda: {**fields, **client_proof(assertions)})
    error = answer.get("error")
    if isinstance(answer.get("access_token"), str) or status == HTTPStatus.FORBIDDEN or error in _ALLOWS_LESS:
        return True
    if status == HTTPStatus.UNAUTHORIZED:
        return False
    raise Refused(_OPERATION, status, admin.shown(error or ""))
