# SPDX-License-Identifier: MIT
"""What the log and the fault say of fetches in the background: the beginning and the end of their failing, no more."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from loguru import logger

from providers.auth0.tokens.background import Background
from providers.auth0.tokens.credentials import Assertions, Credentials
from providers.auth0.tokens.keys import Keys
from tests.providers.auth0.conftest import Counts
from tests.stand_ins.auth0.keys import rsa_key
from tests.support.auth0_line import Tenant, unix
from tests.support.virtual_time import in_virtual_time, now

KEY = rsa_key("background")
BROKEN, REFUSED = (200, {}), (404, {})
GOOD = {
    "jwks": (200, {"keys": [KEY.jwk]}),
    "m2m_token": (200, {"access_token": "t", "token_type": "Bearer", "expires_in": 100}),
}
WHY = {"jwks": "jwks failed: answer is no key set", "m2m_token": "m2m_token failed: answer is no token"}
LONG = 10_000.0


@pytest.fixture
def lines():
    found: list[tuple[str, dict[str, object]]] = []

    def note(message) -> None:
        found.append((message.record["message"], dict(message.record["extra"])))

    handler = logger.add(note, level="WARNING")
    yield found
    logger.remove(handler)


def kept(operation: str, *answers: object) -> Keys | Credentials:
    """Return what is fetched from a tenant with these answers, and with the last of them from then on."""
    given = itertools.chain(answers, itertools.repeat(answers[-1]))
    line = Tenant(lambda _: next(given)).line(Counts())
    if operation == "jwks":
        return Keys(line, now)
    return Credentials(line, Assertions("client", KEY.private, "https://tenant.example/", unix), {}, unix)


@pytest.mark.parametrize("operation", WHY)
@in_virtual_time
async def test_failures_are_logged_once_however_many_there_are(operation, lines):
    part = kept(operation, BROKEN)
    async with part.kept():
        await asyncio.sleep(LONG)
        assert (part.had_one, part.fault) == (False, WHY[operation])
    assert lines == [("fetching from the tenant fails", {"operation": operation, "reason": WHY[operation]})]


@pytest.mark.parametrize("operation", WHY)
@in_virtual_time
async def test_each_outage_has_a_beginning_and_an_end(operation, lines):
    good = GOOD[operation]
    part = kept(operation, good, REFUSED, REFUSED, REFUSED, good, REFUSED, good)
    async with part.kept():
        await asyncio.sleep(LONG)
    assert (part.had_one, part.fault) == (True, "")
    begins, ends = "fetching from the tenant fails", "fetching from the tenant works again"
    assert [message for message, _ in lines if message in {begins, ends}] == [begins, ends, begins, ends]
    assert [extra["failures"] for message, extra in lines if message == ends] == [3, 1]


@pytest.mark.parametrize("operation", WHY)
@in_virtual_time
async def test_where_nothing_fails_nothing_is_logged(operation, lines):
    async with kept(operation, GOOD[operation]).kept():
        await asyncio.sleep(LONG)
    assert lines == []


@in_virtual_time
async def test_a_refusal_is_told_with_the_tenants_word_but_no_secret():
    part = kept("m2m_token", (401, {"error": "client_secret=abc123"}))
    async with part.kept():
        await asyncio.sleep(1.0)
        assert part.fault == "own token refused with status 401: client_secret=[redacted]"


@in_virtual_time
async def test_what_nobody_expects_is_logged_and_ends_nothing(lines):
    async def broken() -> None:
        raise ZeroDivisionError("secret")

    background = Background("jwks")
    await background.run(broken())
    assert (background.failures, background.fault) == (1, "ZeroDivisionError")
    assert [message for message, _ in lines] == ["fetching from the tenant broke", "fetching from the tenant fails"]
