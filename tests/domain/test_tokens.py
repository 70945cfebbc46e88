# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from app.domain.aliases import AliasPolicy
from app.domain.disclosures import ImpersonationAttempt
from app.domain.errors import (
    AliasInvalid,
    AliasReserved,
    AudienceNotAllowed,
    InvalidToken,
    SubjectTokenRequired,
    TargetUserRequired,
    TokenExpired,
)
from app.domain.impersonation import Impersonation
from app.domain.lookups import Lookups
from app.domain.tokens import bare


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("abc", "abc"),
        ("  abc\n", "abc"),
        ("Bearer abc", "abc"),
        ("bEARER   abc ", "abc"),
        (" BEARER abc", "abc"),
        ("Bearer ", ""),
        ("Bearer", "Bearer"),
        ("Bearerabc", "Bearerabc"),
        ("Bearer Bearer abc", "Bearer abc"),
        ("", ""),
    ],
)
def test_a_leading_bearer_is_removed_once(text, token):
    assert bare(text) == token


def test_the_policy_of_aliases_knows_its_domains_in_any_case():
    policy = AliasPolicy(frozenset({" Linux.COM "}))
    assert policy.covers("Ada@LINUX.com")
    assert not policy.covers("ada@x.linux.com")
    assert not policy.covers("linux.com@example.org")


def test_further_reserved_names_count_in_any_case():
    policy = AliasPolicy(reserved_extra=frozenset({"Board"}))
    for reserved in ("board", "BOARD ", "root"):
        with pytest.raises(AliasReserved):
            policy.local_part(reserved)
    assert policy.local_part(" Boards ") == "boards"
    with pytest.raises(AliasInvalid):
        policy.local_part("board.")


class Stored:
    async def of_username(self, username: str) -> str | None:
        return {"ada": "2f1e-stored"}.get(username)


async def test_a_stored_subject_comes_before_the_derived_one():
    lookups = Lookups(None, Stored())
    assert await lookups.subject_of_username("ada") == "2f1e-stored"
    assert await lookups.subject_of_username("grace") == "auth0|grace"


class Exchange:
    """Exchanges the token `good`, and keeps for whom."""

    audiences = frozenset(("https://api.example/", "https://other.example/"))
    asked: tuple[str, str] = ("", "")

    async def subject_of(self, subject_token: str) -> str:
        if subject_token == "bad":
            raise InvalidToken
        return "auth0|ada"

    async def permit(self, subject_token: str) -> None:
        if subject_token == "late":
            raise TokenExpired

    async def exchange(self, _: str, target_user: str, audience: str) -> str:
        self.asked = target_user, audience
        if target_user == "crash":
            raise ZeroDivisionError
        return f"token of {target_user}"


class Records(list):
    def impersonation(self, attempt: ImpersonationAttempt) -> None:
        self.append(attempt)


ATTEMPTS = {
    "granted": ("Bearer good", "ada", None, ("auth0|ada", "ada", "granted")),
    "for another audience": (
        "good",
        "ada",
        None,
        ("auth0|ada", "ada", "granted", "https://other.example/"),
        " https://other.example/ ",
    ),
    "a blank audience": ("good", "ada", None, ("auth0|ada", "ada", "granted"), " "),
    "an audience that is not allowed": (
        "bad",
        "ada",
        AudienceNotAllowed,
        ("", "ada", "refused: audience not allowed", "https://other.example"),
        "https://other.example",
    ),
    "no target for an audience": (
        "good",
        "",
        TargetUserRequired,
        ("", "", "refused: target_user is required", "elsewhere"),
        "elsewhere",
    ),
    "target passed on as it is": ("good", " Ada@Example.org ", None, ("auth0|ada", " Ada@Example.org ", "granted")),
    "no token": (" ", "", SubjectTokenRequired, ("", "", "refused: subject_token is required")),
    "no target": ("good", " ", TargetUserRequired, ("", " ", "refused: target_user is required")),
    "a late token": ("late", "ada", TokenExpired, ("auth0|ada", "ada", "refused: token has expired")),
    "a bad token": ("bad", "ada", InvalidToken, ("", "ada", "refused: invalid token")),
    "something unexpected": ("good", "crash", ZeroDivisionError, ("auth0|ada", "crash", "failed")),
}


@pytest.mark.parametrize("title", ATTEMPTS)
async def test_every_attempt_at_impersonation_leaves_one_record(title):
    token, target, error, record, *asked = ATTEMPTS[title]
    port, records = Exchange(), Records()
    impersonation = Impersonation(port, records)
    if error is None:
        assert await impersonation.exchange(token, target, *asked) == f"token of {target}"
        assert port.asked == (target, "".join(asked).strip())
    else:
        with pytest.raises(error):
            await impersonation.exchange(token, target, *asked)
    assert records == [ImpersonationAttempt(*record)]
