# SPDX-License-Identifier: MIT
"""One-time codes: Auth0's passwordless connection `email` sends and checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.errors import CodeExchangeFailed, Fault, SendCodeFailed
from app.domain.identity_tokens import unverified_claims
from app.domain.ports import VerifiedEmail
from app.domain.spellings import same
from app.domain.users import EMAIL
from providers.auth0.tenant import errors
from providers.auth0.tenant.calls import Call, Kind
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from app.domain.users import Address
    from providers.auth0.sign_in import ProfileClient
    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.client import TenantClient

GRANT: Final = "http://auth0.com/oauth/grant-type/passwordless/otp"
_SEND: Final = Kind("send_code", writes=True, json=False)
_REDEEM: Final = Kind("redeem_code", writes=True)
_REFUSED: Final = {errors.NOT_FOUND: CodeExchangeFailed}


class Auth0Verification:
    """Sends codes and exchanges them, as the profile application."""

    def __init__(self, tenant: TenantClient, client: ProfileClient) -> None:
        """Take what calls the tenant, and the application's credentials."""
        self._tenant = tenant
        self._client = client

    async def send_code(self, address: Address) -> None:
        """Send a code. Raises SendCodeFailed."""
        await self._tenant.call(
            Call(
                kind=_SEND,
                method="POST",
                path="/passwordless/start",
                json={**self._client.fields(), "connection": EMAIL, "email": address, "send": "code"},
                anonymous=True,
                fallback=SendCodeFailed,
                special={errors.NOT_FOUND: SendCodeFailed},
            )
        )

    async def redeem(self, address: Address, code: str) -> VerifiedEmail:
        """Exchange the code. Raises CodeExchangeFailed, also when what it yields is for another address."""
        answer = await self._tenant.call(
            Call(
                kind=_REDEEM,
                method="POST",
                path="/oauth/token",
                json={
                    **self._client.fields(),
                    "grant_type": GRANT,
                    "username": address,
                    "otp": code,
                    "realm": EMAIL,
                    "scope": "openid email profile",
                },
                anonymous=True,
                fallback=CodeExchangeFailed,
                special=_REFUSED,
            )
        )
        proof = _read(answer)
        # The token came from the tenant itself over TLS: OpenID Connect Core, section 3.1.3.7, asks for no more. It is
        # for another address where the one asked for is linked to an account, unverified: whoever asks signs in there.
        email = (unverified_claims(proof.id_token) or {}).get("email")
        if not isinstance(email, str) or not same(email, address):
            raise CodeExchangeFailed().blamed_on(Fault.CALLER)
        return proof


def _read(answer: Answer) -> VerifiedEmail:
    content = answer.json()
    if not isinstance(content, dict) or not isinstance(content.get("id_token", ""), str):
        raise errors.of_exception(_REDEEM.name, BrokenAnswer("no proof")).error

    def text(name: str) -> str:
        value = content.get(name)
        return value if isinstance(value, str) else ""

    life = content.get("expires_in")
    return VerifiedEmail(
        id_token=text("id_token"),
        access_token=text("access_token"),
        token_type=text("token_type"),
        expires_in=life if isinstance(life, int) and not isinstance(life, bool) else 0,
        scope=text("scope"),
    )
