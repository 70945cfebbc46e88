# SPDX-License-Identifier: MIT
"""The two records that the log shows in clear, each a type of its own; everything else is redacted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.domain.users import Address


@dataclass(frozen=True, slots=True)
class VerificationCode:
    """A one-time code of the mock provider, which has nobody to mail it to. The address is redacted."""

    address: Address
    code: str


@dataclass(frozen=True, slots=True)
class ImpersonationAttempt:
    """An audit record: who wanted to be whom, how it ended, and for which audience, when one was asked for.

    Both accounts are named in clear.
    """

    subject: str
    target_user: str
    outcome: str
    audience: str = ""


Disclosure = VerificationCode | ImpersonationAttempt
