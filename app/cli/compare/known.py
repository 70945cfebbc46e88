# SPDX-License-Identifier: MIT
"""The differences from the Go service that are known and wanted; `docs/operations/upgrade.md` shows this very list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.cli.compare.differences import Kind, type_of
from app.cli.compare.reads import BY_ADDRESS, BY_REFERENCE, Read

if TYPE_CHECKING:
    from app.cli.compare.differences import Difference
    from app.cli.compare.reads import Request

_LOOKED_AT: Final = 500
"""Characters of an error text that decide."""


@dataclass(frozen=True, slots=True)
class Known:
    """One known difference: on which subjects, of which kind, where, and which texts (patterns, from their start).

    `what`, `before` and `now` are the row of the page.
    """

    what: str
    before: str
    now: str
    reads: tuple[Read, ...]
    kind: Kind
    where: str = ""
    old: str = ""
    new: str = ""
    beyond_ascii: bool = False
    """Whether it is known only where the request has more than ASCII in it."""

    def explains(self, request: Request, difference: Difference) -> bool:
        """Return whether a difference is this one."""
        return (
            request.read in self.reads
            and (difference.kind, difference.where) == (self.kind, self.where)
            and _fits(self.old, difference.old)
            and _fits(self.new, difference.new)
            and not (self.beyond_ascii and request.body.isascii() and b"xn--" not in request.body)
        )


def _fits(pattern: str, value: object) -> bool:
    if not pattern:
        return True
    empty = "empty " if value in ([], {}) else ""
    text = value[:_LOOKED_AT] if isinstance(value, str) else f"<{empty}{type_of(value)}>"
    return re.match(pattern, text) is not None


KNOWN: Final = (
    Known(
        "identities by username, on Auth0",
        "`user_id is required to get user`",
        "the list, or `user not found`",
        (Read.IDENTITIES,),
        Kind.OUTCOME,
        old=r"error: user_id is required to get user\Z",
        new=r"success\Z",
    ),
    Known(
        "identities by username of nobody, on Auth0",
        "`user_id is required to get user`",
        "`user not found`",
        (Read.IDENTITIES,),
        Kind.ERROR,
        old=r"user_id is required to get user\Z",
        new=r"user not found\Z",
    ),
    Known(
        "`user_metadata.read` of a user without any",
        '`"data": null`',
        '`"data": {}`',
        (Read.METADATA,),
        Kind.TYPE,
        where="data",
        old=r"<null>",
        new=r"<empty object>",
    ),
    Known(
        "`user_metadata.read` of a user with skills",
        "without `skills`",
        "with `skills`",
        (Read.METADATA,),
        Kind.FURTHER,
        where="data.skills",
    ),
    Known(
        "`email_to_username` of a user without a username",
        "an empty reply",
        "`user not found`",
        (Read.EMAIL_TO_USERNAME,),
        Kind.OUTCOME,
        old=r"an empty reply\Z",
        new=r"error: user not found\Z",
    ),
    Known(
        "an account that is not there",
        "the tenant's words, `The user does not exist.`",
        "`user not found`",
        BY_REFERENCE,
        Kind.ERROR,
        old=r"(?i)the user does not exist|user not found by criteria",
        new=r"user not found\Z",
    ),
    Known(
        "an expired token",
        "`token has expired at` and the time",
        "`token has expired`",
        BY_REFERENCE,
        Kind.ERROR,
        old=r"token has expired at ",
        new=r"token has expired\Z",
    ),
    Known(
        "a token of another issuer",
        "`invalid issuer`, with both names",
        "`invalid issuer`",
        BY_REFERENCE,
        Kind.ERROR,
        old=r"invalid issuer '",
        new=r"invalid issuer\Z",
    ),
    Known(
        "a token that cannot be read or lacks a claim",
        "`failed to parse JWT token` and why, `missing 'aud' claim in token`",
        "`invalid token`",
        BY_REFERENCE,
        Kind.ERROR,
        old=r"failed to parse JWT token|missing (?:or invalid )?'\w{1,20}' claim in token|no suitable RSA key",
        new=r"invalid token\Z",
    ),
    Known(
        "an outage or a limit of the provider",
        "`failed to search user`, `failed to get M2M token`, with the library's words",
        "`identity provider unavailable`, `identity provider rate limit reached, try again later` or "
        "`failed to search user`",
        (*BY_ADDRESS, *BY_REFERENCE),
        Kind.ERROR,
        old=r"failed to (?:search user|get M2M token|fetch JWKS)",
        new=r"identity provider |failed to search user\Z",
    ),
    Known(
        "an address in another spelling (IDNA, NFC)",
        "`user not found`",
        "its user",
        BY_ADDRESS,
        Kind.OUTCOME,
        old=r"error: user not found\Z",
        new=r"success\Z",
        beyond_ascii=True,
    ),
)


def known(request: Request, difference: Difference) -> Known | None:
    """Return which known difference explains this one; None for one that nobody has foreseen."""
    return next((one for one in KNOWN if one.explains(request, difference)), None)
