# SPDX-License-Identifier: MIT
"""What is asked of a provider for a look-up and for an identity, and what is not."""

from __future__ import annotations

import pytest

from app.domain.disclosures import ImpersonationAttempt
from app.domain.errors import EmailAlreadyLinked, IdentityNotFound, UsernameRequired, UserNotFound
from app.domain.impersonation import unavailable
from app.domain.linking import Linking
from app.domain.lookups import ByEmail, Lookups, refuse_taken
from app.domain.users import User


class Searched(ByEmail):
    """Has ada's primary address and eda's alternate one, and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bool]] = []

    async def by_primary_email(self, address, *, fresh=False):
        self.asked.append(("primary", address, fresh))
        if address == "ada@example.org":
            return User("auth0|ada", "ada")
        raise UserNotFound

    async def by_alternate_email(self, address, *, fresh=False):
        self.asked.append(("alternate", address, fresh))
        if address == "eda@example.org":
            return User("auth0|eda")
        raise UserNotFound


@pytest.mark.parametrize("fresh", [True, False])
async def test_alternates_are_searched_only_where_nobody_has_the_address_as_the_primary_one(fresh):
    directory = Searched()
    assert (await directory.by_email("ada@example.org", fresh=fresh)).user_id == "auth0|ada"
    assert directory.asked == [("primary", "ada@example.org", fresh)]
    assert (await directory.by_email("eda@example.org", fresh=fresh)).user_id == "auth0|eda"
    assert directory.asked[1:] == [("primary", "eda@example.org", fresh), ("alternate", "eda@example.org", fresh)]
    with pytest.raises(UserNotFound):
        await directory.by_email("nobody@example.org", fresh=fresh)


async def test_whether_an_address_is_free_is_asked_of_the_provider_itself():
    directory = Searched()
    await refuse_taken(directory, "new@example.org")
    assert {fresh for *_, fresh in directory.asked} == {True}
    for taken in ("ada@example.org", "eda@example.org"):
        with pytest.raises(EmailAlreadyLinked):
            await refuse_taken(directory, taken)


async def test_a_look_up_takes_any_spelling_and_answers_who_it_is():
    lookups = Lookups(Searched(), None)
    assert await lookups.username_of_email(" ADA@example.org ") == "ada"
    assert await lookups.subject_of_email("Eda@example.org") == "auth0|eda"
    for nobodys in (lookups.username_of_email("eda@example.org"), lookups.subject_of_email("no address")):
        with pytest.raises(UserNotFound):
            await nobodys


async def test_a_username_of_any_letters_has_a_subject_and_half_a_letter_has_none():
    lookups = Lookups(None, None)
    assert await lookups.subject_of_username("ada") == "auth0|ada"
    assert await lookups.subject_of_username("łukasz") == (
        "auth0|3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU"
    )
    for missing in ("", "\ud800"):
        with pytest.raises(UsernameRequired):
            await lookups.subject_of_username(missing)


class Unlinked(list):
    """Whoever calls may unlink; notes what is unlinked."""

    async def verify(self, token: str, *, scope: str) -> tuple[str, str]:
        return token, scope

    async def unlink(self, *asked: object) -> None:
        self.append(asked)


@pytest.mark.parametrize(("provider", "identity_id"), [("p" * 1025, "1"), ("google-oauth2", "1" * 1025)])
async def test_names_of_more_than_1024_characters_are_nobodys(provider, identity_id):
    port = Unlinked()
    with pytest.raises(IdentityNotFound):
        await Linking(port, None, port).unlink("token", provider, identity_id)
    assert port == []


async def test_names_of_1024_characters_are_asked_for_without_white_space_around():
    port = Unlinked()
    await Linking(port, None, port).unlink("Bearer token", f" {'p' * 1024}\n", f" {'1' * 1024} ")
    assert port == [(("token", "update:current_user_identities"), "p" * 1024, "1" * 1024)]


def test_an_attempt_where_there_is_no_impersonation_leaves_a_record():
    records = []

    class Audit:
        impersonation = staticmethod(records.append)

    unavailable(Audit, " ada ", " https://api.example/ ")
    assert records == [
        ImpersonationAttempt("", " ada ", "refused: impersonation flow unavailable", "https://api.example/")
    ]
