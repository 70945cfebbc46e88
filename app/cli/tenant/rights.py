# SPDX-License-Identifier: MIT
"""The command's own rights: where they come from, and how far they go."""

from __future__ import annotations

import getpass
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from jose import JOSEError, jwt

from app.cli.tenant import scopes
from app.cli.tenant.errors import TenantError, Unreachable, Unusable
from app.cli.tenant.findings import Difference, Finding, State, differs, unknown, well
from app.domain.tokens import is_token

if TYPE_CHECKING:
    from app.cli.tenant.admin_api import AdminApi
    from app.settings.administration import AdministrationSettings

_WHAT: Final = "Management API"
_MOST: Final = 16 * 1024
_HOW: Final = (
    "give a Management API token in AUTH0_ADMIN_TOKEN or by --token on standard input, "
    "or AUTH0_ADMIN_CLIENT_ID with AUTH0_ADMIN_CLIENT_SECRET"
)


def given_token() -> str:
    """Read a token from the first line of standard input, unseen on a terminal. Raises Unusable."""
    text = ""
    with suppress(EOFError, ValueError, OSError):  # Ctrl-D, no text, a folder
        if sys.stdin:
            text = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline(_MOST)
    if not text.strip():
        raise Unusable(f"no token came on standard input: {_HOW}")
    return text.strip()


async def token(admin: AdminApi, settings: AdministrationSettings, given: str, audience: str) -> str:
    """Return the token to work with. Raises Unusable, Unreachable."""
    known = (given or settings.token.get_secret_value()).strip()
    secret = settings.client_secret.get_secret_value()
    if known:
        if not is_token(known):
            raise Unusable("the token is none: it must be one word of ASCII")
        return known
    if not settings.client_id or not secret:
        raise Unusable(f"without rights nothing can be asked: {_HOW}")
    fields = {"client_id": settings.client_id, "client_secret": secret, "audience": audience}
    try:
        _, answer = await admin.ask("ask for a token", lambda: {"grant_type": "client_credentials", **fields})
    except TenantError as error:
        raise Unreachable(str(error)) from None
    granted = answer.get("access_token")
    if not is_token(granted):
        why = admin.shown(answer.get("error_description") or answer.get("error") or "no token came")
        raise Unreachable(f"AUTH0_ADMIN_CLIENT_ID gets no token for {audience}: {why}")
    return granted


def audience_of(token: str, host: str) -> str:
    """Return the identifier of the Management API that a token is for; with a custom domain it is not the domain's."""
    audience = _claims(token).get("aud")
    for one in audience if isinstance(audience, list) else [audience]:
        if isinstance(one, str) and one.endswith("/api/v2/"):
            return one
    return f"https://{host}/api/v2/"


def sufficient(token: str, *, impersonation: bool) -> Finding:
    """Return whether the token's scopes suffice, as far as it can be read (RFC 9068, section 2.2.3)."""
    scope = _claims(token).get("scope")
    if not isinstance(scope, str):
        return unknown(_WHAT, "reachable; the token does not say its scopes", "use a token of the tenant's own")
    held = {*scope.split(), *(() if impersonation else scopes.IMPERSONATING)}
    lacking = [one for one in scopes.READING if one not in held]
    if lacking:
        wrong = [Difference("scopes of the token", " ".join(lacking), "not granted")]
        return differs(_WHAT, wrong, remedy=f"grant {' '.join(lacking)} to the token's application")
    further = [one for one in scopes.APPLYING if one not in held]
    rest = f"; apply would lack {' '.join(further)}" if further else ", and to apply"
    return well(_WHAT, f"reachable, the token may read what is needed{rest}")


def limits(admin: AdminApi, at_once: int) -> Finding:
    """Return the tenant's limits beside what the service would ask of it: a remark, never a failure."""
    told = ", ".join(f"{count} {kind}s" for kind, count in sorted(admin.limits.items())) or "not told"
    return Finding(
        "rate limits",
        State.OK,
        f"{told} at once; MAX_CONCURRENT_REQUESTS={at_once} would ask for more"
        if any(count < at_once for count in admin.limits.values())
        else f"{told} at once",
    )


def _claims(token: str) -> dict[str, object]:
    try:
        return dict(jwt.get_unverified_claims(token))
    except (JOSEError, ValueError):
        return {}
