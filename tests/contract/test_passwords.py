# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tests.support.contract import (
    EXPIRED,
    EXPIRED_ERROR,
    JWT,
    SUBJECT,
    TOKEN,
    USERNAME,
    WITH_PASSWORDS,
    case,
    done,
    empties,
    failure,
    malformed,
    on_every_provider,
    only_on,
    prefixed,
    wrong_types,
)
from tests.support.people import PASSWORD, ada, grace, nobody, nomail, sam

pytestmark = [pytest.mark.asyncio(loop_scope="module"), only_on(*WITH_PASSWORDS)]

UPDATE = "password.update"
RESET = "password.reset_link"
UPDATE_MALFORMED = "failed to unmarshal change password request"
RESET_MALFORMED = "failed to unmarshal reset password link request"
UPDATED = done("password updated successfully")
SENT = done("password reset link sent successfully")
INCORRECT = failure("incorrect password: current password is incorrect")


def _change(current: object, new: object = "n3w", token: object = TOKEN) -> dict[str, object]:
    return {"token": token, "current_password": current, "new_password": new}


CASES = [
    *malformed(UPDATE, UPDATE_MALFORMED),
    *(
        c
        for name in ("token", "current_password", "new_password")
        for c in wrong_types(UPDATE, UPDATE_MALFORMED, _change("x"), name)
    ),
    *empties(UPDATE, "token is required", _change("", ""), "token"),
    *empties(UPDATE, "current_password is required", _change("x", "", "no token"), "current_password"),
    *empties(UPDATE, "new_password is required", _change("x", "y", "no token"), "new_password"),
    *(
        case(UPDATE, f"{title} is no token", send=_change("wrong", token=token), reply=failure("invalid token"))
        for title, token in {"a subject": SUBJECT, "a username": USERNAME, "rubbish": "x"}.items()
    ),
    case(UPDATE, "an expired token", send=_change("wrong", token=EXPIRED), reply=failure(EXPIRED_ERROR)),
    case(UPDATE, "nobody's token", send=_change("wrong", token=JWT), as_=nobody, reply=failure("user not found")),
    *(
        case(UPDATE, f"{title} password", send=_change(password), reply=INCORRECT)
        for title, password in {
            "a wrong": "wrong",
            "the right one with a space before the": " " + PASSWORD,
            "the right one with a space after the": PASSWORD + " ",
            "the right one in capitals as the": PASSWORD.upper(),
            "a prefix of the right": PASSWORD[:-1],
            "an emoji as the": "🦉",
        }.items()
    ),
    *malformed(RESET, RESET_MALFORMED),
    *wrong_types(RESET, RESET_MALFORMED, {"token": TOKEN}, "token"),
    *empties(RESET, "token is required", {"token": TOKEN}, "token"),
    case(RESET, "a prefix and no token", send={"token": "Bearer "}, reply=failure("token is required")),
    *(
        case(RESET, f"{title} is no token", send={"token": token}, reply=failure("invalid token"))
        for title, token in {"a subject": SUBJECT, "a username": USERNAME, "an address": "ada@example.org"}.items()
    ),
    case(RESET, "an expired token", send={"token": EXPIRED}, reply=failure(EXPIRED_ERROR)),
    case(RESET, "nobody's token", send={"token": JWT}, as_=nobody, reply=failure("user not found")),
    case(RESET, "no address", send={"token": TOKEN}, as_=nomail, reply=failure("user does not have an email address")),
    case(RESET, "a link", send={"token": TOKEN}, reply=SENT),
    case(RESET, "a link, by JWT after Bearer", send={"token": prefixed("Bearer ", JWT)}, reply=SENT),
]
EXCHANGE = "impersonation.token_exchange"
CASES += [
    case(
        EXCHANGE,
        f"not on this provider: {title}",
        send=send,
        reply=failure("impersonation flow unavailable"),
        on=("mock",),
    )
    for title, send in {
        "well formed": {"subject_token": TOKEN, "target_user": "ada"},
        "before malformed": b"[",
        "before what is required": {},
    }.items()
]


@on_every_provider(CASES)
async def test_passwords_as_they_are(case, shared):
    await case.run(shared)


async def test_the_new_password_is_the_one_required_from_then_on(fresh):
    assert await fresh.ask(UPDATE, _change(PASSWORD, "n3w")) == UPDATED
    assert await fresh.ask(UPDATE, _change(PASSWORD, "newer")) == INCORRECT
    assert await fresh.ask(UPDATE, _change("n3w", "newer")) == UPDATED


async def test_a_password_is_used_exactly_as_sent(fresh):
    assert await fresh.ask(UPDATE, _change(PASSWORD, "  n3w\t🦉 ")) == UPDATED
    assert await fresh.ask(UPDATE, _change("n3w\t🦉", "x")) == INCORRECT
    assert await fresh.ask(UPDATE, _change("  n3w\t🦉 ", "x")) == UPDATED


async def test_a_refused_change_changes_nothing(fresh):
    assert await fresh.ask(UPDATE, _change("wrong", "n3w")) == INCORRECT
    assert await fresh.ask(UPDATE, _change(PASSWORD, "n3w"), ada) == UPDATED


@only_on("mock")
@pytest.mark.parametrize("person", [grace, sam], ids=["grace", "sam"])
async def test_the_mock_takes_any_password_of_a_user_who_has_none_and_requires_the_new_one_then(fresh, person):
    assert await fresh.ask(UPDATE, _change("anything", "n3w"), person) == UPDATED
    assert await fresh.ask(UPDATE, _change("anything", "newer"), person) == INCORRECT
    assert await fresh.ask(UPDATE, _change("n3w", "newer"), person) == UPDATED
