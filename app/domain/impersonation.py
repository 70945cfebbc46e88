# SPDX-License-Identifier: MIT
"""Impersonation: a token of one user exchanged for a token of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from app.domain.disclosures import ImpersonationAttempt
from app.domain.errors import (
    AudienceNotAllowed,
    ImpersonationUnavailable,
    ServiceError,
    SubjectTokenRequired,
    TargetUserRequired,
    require,
)
from app.domain.tokens import bare

if TYPE_CHECKING:
    from app.domain.ports import Impersonation as ImpersonationPort


class Audit(Protocol):
    """Keeps audit records."""

    def impersonation(self, attempt: ImpersonationAttempt) -> None:
        """Record an attempt."""
        ...


class Impersonation:
    """The exchange of tokens for impersonation."""

    def __init__(self, impersonation: ImpersonationPort, audit: Audit) -> None:
        """Take the provider's capability and where attempts are recorded."""
        self._impersonation = impersonation
        self._audit = audit

    async def exchange(self, subject_token: str, target_user: str, audience: str = "") -> str:
        """Return an access token of the target user; every attempt leaves one audit record.

        `audience` is the API that the token is for; empty: the provider's default.

        The record names the user of a genuine token, even if the request is refused for another reason.

        Raises SubjectTokenRequired, TargetUserRequired, AudienceNotAllowed, what verifying a token raises, and the
        provider's refusal.
        """
        subject, outcome = "", "failed"
        audience = audience.strip()
        try:
            subject_token = require(bare(subject_token), SubjectTokenRequired)
            require(target_user.strip(), TargetUserRequired)
            if audience and audience not in self._impersonation.audiences:
                raise AudienceNotAllowed
            subject = await self._impersonation.subject_of(subject_token)
            await self._impersonation.permit(subject_token)
            access_token = await self._impersonation.exchange(subject_token, target_user, audience)
            outcome = "granted"
        except ServiceError as error:
            outcome = f"refused: {error}"
            raise
        finally:
            self._audit.impersonation(ImpersonationAttempt(subject, target_user, outcome, audience))
        return access_token


def unavailable(audit: Audit, target_user: str, audience: str) -> None:
    """Record an attempt on a provider without impersonation. The token is not read."""
    outcome = f"refused: {ImpersonationUnavailable.wire}"
    audit.impersonation(ImpersonationAttempt("", target_user, outcome, audience.strip()))
