# SPDX-License-Identifier: MIT
"""Impersonation: token exchange (RFC 8693) through the tenant's Action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.errors import ImpersonationNotAllowed, ImpersonationRefused, InternalError, ProviderUnavailable
from providers.auth0.sign_in import access_token
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tokens.credentials import client_proof

if TYPE_CHECKING:
    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.client import TenantClient
    from providers.auth0.tokens.credentials import Assertions
    from providers.auth0.tokens.verifier import Tokens

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
MAX_REFUSAL: Final = 300
"""Characters of the tenant's refusal that the caller gets."""

_EXCHANGE: Final = Kind("exchange_token", writes=True)
_REFUSALS: Final = frozenset((400, 401, 402, 403))


class Auth0Impersonation:
    """Exchanges tokens, as the service's own application."""

    def __init__(
        self,
        tenant: TenantClient,
        tokens: Tokens,
        assertions: Assertions,
        audiences: tuple[str, ...],
        *,
        require_claim: bool,
    ) -> None:
        """Take what calls the tenant and verifies tokens, what proves who asks, and audiences.

        `audiences`: those for which a token may be asked; the first is that of the subject token, and the usual one.
        `require_claim`: whether the subject token must say that its owner may impersonate.
        """
        self._tenant = tenant
        self._tokens = tokens
        self._assertions = assertions
        self._audience = audiences[0]
        self.audiences = frozenset(audiences)
        self._require_claim = require_claim

    async def subject_of(self, subject_token: str) -> str:
        """Return whose token it is. Raises InvalidToken, ProviderUnavailable."""
        return (await self._tokens.genuine(subject_token)).subject

    async def permit(self, subject_token: str) -> None:
        """Verify the token. Raises ImpersonationNotAllowed, and what a token raises."""
        verified = await self._tokens.check(subject_token, self._audience)
        if self._require_claim and not verified.may_impersonate:
            raise ImpersonationNotAllowed

    async def exchange(self, subject_token: str, target_user: str, audience: str) -> str:
        """Return an access token for `audience`. Raises ImpersonationRefused with the tenant's words."""

        def form() -> dict[str, str]:
            return {
                "grant_type": GRANT,
                **client_proof(self._assertions),
                "subject_token": subject_token,
                "subject_token_type": self._audience,
                "audience": audience or self._audience,
                "target_user": target_user,
            }

        answer = await self._tenant.call(
            Call(
                kind=_EXCHANGE,
                method="POST",
                path="/oauth/token",
                form=form,
                anonymous=True,
                fallback=ProviderUnavailable,
                passes=_REFUSALS,
            )
        )
        if not answer.ok:
            raise _refusal(answer)
        return access_token(_EXCHANGE.name, answer)


def _refusal(answer: Answer) -> ImpersonationRefused | InternalError | ProviderUnavailable:
    error, description = answer.text_of("error"), answer.text_of("error_description")
    if error == "invalid_client":
        logger.error("the tenant refuses this service's client assertion", status=answer.status)
        return InternalError()
    if not error.strip():
        return ProviderUnavailable()
    text = f"{error}: {description}" if description.strip() else error
    # `isprintable` is false for control, format and separator characters: none may break the line.
    line = "".join(c if c.isprintable() else " " for c in text.strip()[:MAX_REFUSAL])
    return ImpersonationRefused(line.strip())
