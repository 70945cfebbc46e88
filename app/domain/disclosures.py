# SPDX-License-Identifier: MIT
"""The two records that the log shows without redaction, each with its own type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain.redaction import redact_email, redact_tokens

if TYPE_CHECKING:
    from app.domain.users import Address

ALWAYS: Final = 60
"""Their severity, above all others, shown as `info`: nobody else tells what they tell, so no level keeps them back."""

_MAX_SHOWN: Final = 320
"""Characters of a name in an audit record, enough for any address."""


@dataclass(frozen=True, slots=True)
class VerificationCode:
    """A one-time code of the mock provider, which sends no mail. The address is redacted."""

    address: Address
    code: str

    def in_clear(self) -> dict[str, str]:
        """Return the fields of its record."""
        return {"message": f"verification code for {redact_email(self.address)}: {self.code}"}


@dataclass(frozen=True, slots=True)
class ImpersonationAttempt:
    """An audit record: who wanted to impersonate whom, the outcome, and the audience if one was requested.

    Both accounts are shown without redaction.
    """

    subject: str
    target_user: str
    outcome: str
    audience: str = ""

    def in_clear(self) -> dict[str, str]:
        """Return the fields of its record, each in one line and without tokens, because some come from outside."""
        named = {
            "impersonator": self.subject,
            "target_user": self.target_user,
            **({"audience": self.audience} if self.audience else {}),
            "outcome": self.outcome,
        }
        return {"audit": "impersonation", **{name: _printable(text) for name, text in named.items()}}


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in redact_tokens(text, _MAX_SHOWN))


Disclosure = VerificationCode | ImpersonationAttempt
