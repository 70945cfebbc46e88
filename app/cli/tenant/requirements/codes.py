# SPDX-License-Identifier: MIT
"""The passwordless connection `email`: one-time codes by mail."""

from __future__ import annotations

import re
from typing import Any, Final

from app.cli.tenant.findings import Difference, Finding, differs, missing, well
from app.cli.tenant.requirements.common import changing_options, connection, enabled_for, making_connection
from app.cli.tenant.tenant import MARK, Role, TenantSetup

NAME: Final = "email"
_WHAT: Final = "e-mail connection"
_MARK: Final = "codes"
_DIGITS: Final = 6
_SECONDS: Final = 180
_MOST: Final = 256 * 1024
"""Characters of a mail's template that are looked at."""

_CODE: Final = re.compile(r"(?:\{\{-?|@@|<%=)\s{0,8}code\b")
"""Where a template puts the code: in Liquid, or in what there was before."""

_MAIL: Final = {
    "from": "{{ application.name }} <no-reply@auth0user.net>",
    "subject": "Your code is {{ code }}",
    "syntax": "liquid",
    "body": "<p>Your code is <b>{{ code }}</b>. It is good for three minutes.</p>",
}


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at the connection, its options, and whether it is enabled for the profile application."""
    profile = await tenant.application(Role.PROFILE)
    found = await connection(tenant, NAME)
    if found is None:
        options = _mended({"name": NAME, "email": _MAIL})
        fields = {"strategy": "email", "options": options, "metadata": {MARK: _MARK}}
        make = making_connection(tenant, NAME, "codes", [Role.PROFILE], fields)
        return [missing(_WHAT, f"there is no connection {NAME}", make)]
    if found.strategy != "email":
        remedy = "give that connection another name"
        return [differs(_WHAT, [Difference("strategy", "email", str(found.strategy))], remedy=remedy)]
    foreign = (found.metadata or {}).get(MARK) != _MARK
    wrong, steps = _wrong(found.options or {}), []
    if wrong:
        what = f"change {', '.join(one.what for one in wrong)} of {NAME}"
        steps.append(changing_options(tenant, found, what, _mended, foreign=foreign))
    disabled, enabling = await enabled_for(tenant, found, profile, foreign=foreign)
    if wrong or disabled:
        return [differs(_WHAT, wrong + disabled, *steps, *enabling)]
    return [well(_WHAT, f"codes of six digits, enabled for {profile.role.title}")]


def _wrong(options: dict[str, Any]) -> list[Difference]:
    found = []
    if not _shows_code(options):
        found.append(Difference("the mail", "has the code", "has a link only"))
    if _part(options, "totp").get("length") != _DIGITS:
        length = _part(options, "totp").get("length")
        found.append(Difference("digits of a code", str(_DIGITS), str(length or "not said")))
    if options.get("disable_signup") is True:
        found.append(Difference("sign-ups", "on", "off"))
    if options.get("brute_force_protection") is not True:
        found.append(Difference("brute-force protection", "on", "off"))
    return found


def _shows_code(options: dict[str, Any]) -> bool:
    """Whether the mail has the code in it; Auth0's own template, which stands for none, has."""
    body = _part(options, "email").get("body")
    return not isinstance(body, str) or not body or _CODE.search(body[:_MOST]) is not None


def _part(options: dict[str, Any], name: str) -> dict[str, Any]:
    value = options.get(name)
    return value if isinstance(value, dict) else {}


def _mended(options: dict[str, Any]) -> dict[str, Any]:
    mail = _part(options, "email")
    return {
        **options,
        "email": mail if _shows_code(options) else {**mail, "syntax": "liquid", "body": _MAIL["body"]},
        "totp": {"time_step": _SECONDS, **_part(options, "totp"), "length": _DIGITS},
        "disable_signup": False,
        "brute_force_protection": True,
    }
