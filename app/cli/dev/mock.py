# SPDX-License-Identifier: MIT
"""The mock provider in `auth-service dev`: it needs nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.cli.dev.stand_in import StandIn, Try, body
from providers.mock.users_file import load_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.stand_in import Wishes
    from app.domain.users import User
    from app.settings import Settings


@contextmanager
def mock_stand_in(given: Settings, _nats_url: str, _wishes: Wishes) -> Iterator[StandIn]:
    """Show the users of the file, or the fixture users. Raises ConfigurationError."""
    users = [(entry.user, token) for entry, token in load_users(given.mock.users_file)]
    tokens = {user.username or user.user_id: token for user, token in users if token}
    rows = [("USER", "E-MAIL", "TOKEN", "SUBJECT IDENTIFIER")]
    rows += [(user.username or "-", user.primary_email or "-", token or "-", user.user_id) for user, token in users]
    yield StandIn(sections=(given.mock,), users=rows, requests=_requests(users), tokens=tokens)


def _requests(users: list[tuple[User, str]]) -> list[Try]:
    """Return three requests; fewer when no user has what they need."""
    known = max(users, key=lambda pair: bool(pair[0].primary_email) + bool(pair[1]), default=None)
    if known is None:
        return []
    user, token = known
    bodies = {
        "email_to_sub": user.primary_email,
        "user_emails.read": body(user={"auth_token": user.user_id}),
        "user_metadata.update": token and body(user_metadata={"city": "Oslo"}),
    }
    name = user.username or user.user_id
    return [
        Try(subject, sent, user=name if subject == "user_metadata.update" else "")
        for subject, sent in bodies.items()
        if sent
    ]
