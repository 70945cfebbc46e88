# SPDX-License-Identifier: MIT
"""The subjects, area by area. This is the only place where the areas are enumerated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routers import aliases, emails, impersonation, linking, lookups, metadata, passwords

if TYPE_CHECKING:
    from app.bus.subjects import Subject

ROUTERS = (
    lookups.router,
    metadata.router,
    emails.router,
    linking.router,
    aliases.router,
    passwords.router,
    impersonation.router,
)


def subjects() -> tuple[Subject, ...]:
    """Return every subject of the service, in the order of its documentation."""
    return tuple(subject for router in ROUTERS for subject in router.subjects)
