# SPDX-License-Identifier: MIT
"""The scope that each change asks of its caller's token, before anything else is asked of anybody."""

from __future__ import annotations

import pytest

from app.domain.aliases import Aliases, AliasPolicy
from app.domain.emails import Emails
from app.domain.errors import MissingScope
from app.domain.linking import Linking
from app.domain.metadata import Metadata
from app.domain.passwords import PasswordResets, Passwords
from tests.support.basics import unsigned

METADATA = "update:current_user_metadata"
IDENTITIES = "update:current_user_identities"


class Refusing:
    """Has no token with any scope, and nothing else."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def verify(self, token, *, scope=""):
        self.asked.append((token, scope))
        raise MissingScope


CHANGES = {
    "user_metadata.update": (
        METADATA,
        lambda none: Metadata(none, none, none, none, none).update("x", {"city": "Oslo"}),
    ),
    "user_emails.set_primary": (IDENTITIES, lambda none: Emails(none, none, none).set_primary("x", "ada@b.example")),
    "user_identity.link": (IDENTITIES, lambda none: Linking(none, none, none).link("x", IDENTITY_TOKEN)),
    "user_identity.unlink": (IDENTITIES, lambda none: Linking(none, none, none).unlink("x", "github", "99")),
    "add_alias": (IDENTITIES, lambda none: Aliases(none, none, none, LINUX).add("x", "ada.l", "linux.com")),
    "password.update": (METADATA, lambda none: Passwords(none, none).update("x", "old one", "new one")),
    "password.reset_link": (METADATA, lambda none: PasswordResets(none, none, none).send_link("x")),
}
LINUX = AliasPolicy(frozenset({"linux.com"}))
IDENTITY_TOKEN = unsigned({"sub": "github|99"})


@pytest.mark.parametrize("subject", CHANGES)
async def test_a_change_asks_for_its_scope(subject):
    scope, change = CHANGES[subject]
    callers = Refusing()
    with pytest.raises(MissingScope):
        await change(callers)
    assert callers.asked == [("x", scope)]
