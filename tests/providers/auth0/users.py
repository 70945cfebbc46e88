# SPDX-License-Identifier: MIT
"""What tests ask about the tenant's users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from app.domain.tokens import Caller

if TYPE_CHECKING:
    from tests.stand_ins.auth0 import Tenant

PASSWORD = "correct horse battery staple"
"""Ada's."""


def caller(tenant: Tenant, who: str = "ada", **more: Any) -> Caller:
    """Return somebody with a good token."""
    return Caller(tenant.subject(who), SecretStr(tenant.access_token(who, **more)))


def addresses(tenant: Tenant, who: str = "ada") -> list[str]:
    """Return the addresses of somebody's identities, empty for those without one."""
    return [i.get("profileData", {}).get("email", "") for i in tenant.user(who).profile["identities"]]


def stubs(tenant: Tenant) -> list[str]:
    """Return the users that are an address and nothing else."""
    return [user_id for user_id in tenant.accounts.by_id if user_id.startswith("email|")]
