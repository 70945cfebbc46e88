# SPDX-License-Identifier: MIT
"""Issuing and checking the tenant's tokens: users' access tokens, ID tokens, the M2M token."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.keys import Key, KeySet, parsed
from tests.stand_ins.auth0.web import api_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.stand_ins.auth0.web import Call

M2M_CLIENT: Final = "m2m-client"
PROFILE_CLIENT: Final = "profile-client"
LFX_ONE_CLIENT: Final = "lfx-one-client"
LFX_V2_AUDIENCE: Final = "https://lfx-api.example/"
INSIGHTS_AUDIENCE: Final = "https://insights-api.example/"
CAN_IMPERSONATE: Final = "http://lfx.dev/claims/can_impersonate"

M2M_SCOPES: Final = ("read:users", "create:users", "update:users", "delete:users")
EVENTS_SCOPE: Final = "read:events"
USER_SCOPES: Final = ("openid", "profile", "email", "update:current_user_metadata", "update:current_user_identities")
DAY: Final = 86_400


class Tokens:
    """Signs and checks. `domain` is filled in once the port is known."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.keys = KeySet()
        self.domain = "tenant.invalid"
        self.m2m_lifetime = DAY
        self.m2m_scopes: tuple[str, ...] | None = None
        """What machines get in the place of what they were granted."""
        self.profile_client = PROFILE_CLIENT
        """The application in whose name users sign in."""
        self._revoked: set[str] = set()
        self._issued_m2m: list[str] = []
        self._checked: dict[tuple[int, str], dict[str, Any]] = {}

    @property
    def issuer(self) -> str:
        """`iss` of every token."""
        return f"https://{self.domain}/"

    @property
    def management_audience(self) -> str:
        """`aud` of tokens for the Management API."""
        return f"https://{self.domain}/api/v2/"

    def access(
        self,
        subject: str,
        scopes: Iterable[str] = USER_SCOPES,
        *,
        lifetime: float = 3600,
        key: Key | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a user's access token; `claims` add and override, None removes one."""
        now = int(self.now())
        return self.signed(
            {
                "iss": self.issuer,
                "sub": subject,
                "aud": [self.management_audience, f"https://{self.domain}/userinfo"],
                "iat": now,
                "exp": now + int(lifetime),
                "scope": " ".join(scopes),
                "azp": self.profile_client,
                "jti": secrets.token_urlsafe(12),
                **claims,
            },
            key=key,
            header=header,
        )

    def id(self, subject: object, *, lifetime: float = 36_000, key: Key | None = None, **claims: Any) -> str:
        """Return an ID token; `claims` add and override, None removes one."""
        now = int(self.now())
        return self.signed(
            {
                "iss": self.issuer,
                "sub": subject,
                "aud": self.profile_client,
                "iat": now,
                "exp": now + int(lifetime),
                "sid": secrets.token_urlsafe(12),
                **claims,
            },
            key=key,
        )

    def signed(self, claims: dict[str, Any], *, key: Key | None = None, header: dict[str, Any] | None = None) -> str:
        """Sign claims that are not None, with the current key unless another is given."""
        given = {name: value for name, value in claims.items() if value is not None}
        return (key or self.keys.current).sign(given, **(header or {}))

    def m2m(self, client_id: str, audience: str, scopes: Iterable[str], organization: str = "") -> str:
        """Return an access token of a client in its own name."""
        now = int(self.now())
        claims = {
            "iss": self.issuer,
            "sub": f"{client_id}@clients",
            "aud": audience,
            "iat": now,
            "exp": now + self.m2m_lifetime,
            "scope": " ".join(scopes),
            "gty": "client-credentials",
            "azp": client_id,
            "org_id": organization or None,
            "jti": secrets.token_urlsafe(12),
        }
        token = self.signed(claims)
        self._issued_m2m.append(token)
        return token

    def revoke_m2m(self) -> None:
        """Refuse every M2M token issued so far."""
        self._revoked.update(self._issued_m2m)
        self._issued_m2m.clear()

    def verified(self, token: str, audience: str) -> dict[str, Any]:
        """Return the claims of a token of this tenant for that audience; ValueError says what is wrong with it."""
        known = (self.keys.generation, token)
        claims = self._checked.get(known)
        if claims is None:
            if not self.keys.signed(token):
                raise ValueError("Invalid token")
            claims = self._checked[known] = parsed(token)[1]
        audiences = claims.get("aud")
        if audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise ValueError("Bad audience")
        if claims.get("iss") != self.issuer or token in self._revoked:
            raise ValueError("Invalid token")
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= self.now():
            raise ValueError("Expired token received for JSON Web Token validation")
        return claims

    def authorize(self, call: Call, *scopes: str, user_id: str = "", own: str = "") -> dict[str, Any]:
        """Return the claims of a Management API call; Refusal 401 or 403.

        One of `scopes` lets act on anybody; the scope `own` lets the user `user_id` act on themselves.
        """
        if not call.bearer:
            raise api_refusal(401, "Missing authentication")
        try:
            claims = self.verified(call.bearer, self.management_audience)
        except ValueError as error:
            raise api_refusal(401, str(error)) from None
        held = str(claims.get("scope", "")).split()
        if any(scope in held for scope in scopes):
            return claims
        if not own or own not in held:
            expected = ",".join([*scopes, *([own] if own else [])])
            raise api_refusal(403, f"Insufficient scope, expected any of: {expected}", "insufficient_scope")
        if user_id != claims.get("sub"):
            raise api_refusal(403, "User to be acted on does not match subject in bearer token.", "subject_mismatch")
        return claims
