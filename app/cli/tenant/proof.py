# SPDX-License-Identifier: MIT
"""Whether the tenant takes what a key signs, for keys that were registered by hand, under an id of the tenant's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import SecretStr

from providers.auth0.tokens.credentials import Assertions, client_proof

if TYPE_CHECKING:
    from app.cli.tenant.keys import KeyPair
    from app.cli.tenant.line import Line
    from app.cli.tenant.tenant import Wanted


async def proves(line: Line, key: KeyPair, client_id: str, wanted: Wanted) -> bool:
    """Ask for a token as the service would, by an assertion (RFC 7523), and throw it away.

    Any refusal but that of the assertion itself (RFC 6749, section 5.2) is about something else.
    """
    assertions = Assertions(client_id, SecretStr(key.pem), f"https://{line.host}/", time.time)
    organization = wanted.settings.organization
    form = {
        "grant_type": "client_credentials",
        "audience": wanted.audience,
        **client_proof(assertions),
        **({"organization": organization} if organization else {}),
    }
    answer = await line.ask("ask for a token", form)
    return "access_token" in answer or answer.get("error") not in {None, "invalid_client"}
