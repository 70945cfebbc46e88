# SPDX-License-Identifier: MIT
"""One way through the subjects that act on an account, as a user goes it on Auth0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.test_auth0 import IMPERSONATOR
from tests.support.contract import TOKEN
from tests.support.people import PASSWORD, ada, grace

if TYPE_CHECKING:
    from tests.support.contract import Place


async def followed(place: Place) -> None:
    """Change what a user can change, a step after the other; each must succeed."""
    user = {"auth_token": TOKEN}
    done = [
        await place.ask("user_metadata.update", {"token": TOKEN, "user_metadata": {"city": "Oslo"}}),
        await place.ask("email_linking.send_verification", "new@new.example"),
        await place.ask(
            "email_linking.verify", {"email": "new@new.example", "otp": place.world.code_sent_to("new@new.example")}
        ),
    ]
    proof = {"identity_token": done[-1]["data"]["id_token"]}
    done += [
        await place.ask("user_identity.link", {"user": user, "link_with": proof}, grace),
        await place.ask("user_emails.set_primary", {"user": user, "email": "ada@lovelace.example"}),
        await place.ask("add_alias", {"user": user, "alias": "jane", "domain": "linux.com"}),
        await place.ask(
            "user_identity.unlink", {"user": user, "unlink": {"provider": "github", "identity_id": "4711"}}
        ),
        await place.ask("password.update", {"token": TOKEN, "current_password": PASSWORD, "new_password": "n3w-Pass"}),
        await place.ask("password.reset_link", {"token": TOKEN}),
        await place.ask(
            "impersonation.token_exchange", {"subject_token": IMPERSONATOR, "target_user": "grace.hopper"}, ada
        ),
    ]
    assert [one for one in done if one.get("success") is not True] == []
    assert await place.ask("email_to_username", "ada@lovelace.example") == "ada"
    assert await place.ask("username_to_sub", "ada") == "auth0|ada"
