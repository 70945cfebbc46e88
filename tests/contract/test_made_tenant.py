# SPDX-License-Identifier: MIT
"""The contract on a tenant that `auth-service tenant` made of nothing, by a process that got the variables it printed.

One tenant and one process for all of it; everybody in the tenant is as new for each test.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from app.cli.tenant import run
from app.cli.tenant.run import Options
from routers import subjects
from tests.contract import (
    test_aliases,
    test_auth0,
    test_emails,
    test_identities,
    test_lookups,
    test_metadata,
    test_passwords,
    test_verification,
)
from tests.contract.following import followed

# These are run here once more, with the fixtures of this module.
from tests.contract.test_auth0 import (  # noqa: F401
    test_a_code_is_exchanged_for_what_the_tenant_gives,
    test_a_code_of_the_tenant_works_once,
    test_a_linked_proof_of_an_address_is_refused_to_a_second_account,
    test_a_proof_with_another_signature_links_nothing,
    test_a_token_is_exchanged_for_one_of_another_user,
    test_a_username_beyond_ascii_is_found_by_the_subject_that_is_derived_from_it,
    test_a_weak_password_does_not_meet_the_requirements,
    test_a_wrong_code_is_exchanged_for_nothing,
    test_an_alias_stays_managed_when_its_own_record_is_gone,
    test_the_tenants_refusal_is_passed_on_in_one_line,
)
from tests.support.auth0 import Auth0World
from tests.support.contract import Place
from tests.support.transports import OverNats
from tests.system.processes import process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALIASES = {"ALLOWED_ALIAS_DOMAINS": "linux.com,Kernel.Example", "AUTH0_ALIAS_RESERVED_EXTRA": "Board"}
GROUPS = {
    "auth0": [*test_auth0.TOKENS, *test_auth0.SCOPED, *test_auth0.READS, *test_auth0.EXCHANGES],
    "look-ups": test_lookups.CASES,
    "metadata": [*test_metadata.READS, *test_metadata.REFUSALS],
    "e-mails": [*test_emails.READS, *test_emails.REFUSALS],
    "identities": [*test_identities.LISTS, *test_identities.LINK_REFUSALS, *test_identities.UNLINK_REFUSALS],
    "aliases": test_aliases.CASES,
    "passwords": test_passwords.CASES,
    "verification": test_verification.CASES,
}


def held(cases: list) -> list:
    """The cases that hold on Auth0, without the bodies that no provider is asked about."""
    there = [one for one in cases if one.on is None or "auth0" in one.on]
    return [one for one in there if not one.title.startswith("malformed")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auth0World]:
    made = Auth0World(tmp_path_factory.mktemp("made"), time.time, bare=True)
    made.start()
    made.tenant.resources.apis.add("https://insights-api.example/", "Insights API")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def variables(world: Auth0World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `tenant env` prints once `tenant apply` has made the tenant."""
    key = tmp_path_factory.mktemp("key") / "m2m.pem"
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        for name, value in {**world.tenant.environment(), **ALIASES}.items():
            patch.setenv(name, value)
        patch.setenv("AUTH0_IMPERSONATION_AUDIENCES", "https://insights-api.example/")
        assert run.apply(Options(yes=True, new_key=key)) == 0
        patch.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
        printed.truncate(0)
        printed.seek(0)
        assert run.env(Options(), "env", secrets=True) == 0
    found = dict(line.split("=", 1) for line in shlex.split(printed.getvalue()))
    world.tenant.tokens.profile_client = found["AUTH0_LFX_PROFILE_CLIENT_ID"]
    return {**found, **ALIASES, "SSL_CERT_FILE": world.tenant.ca_file}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(world, variables, nats, tmp_path_factory) -> AsyncIterator[Place]:
    with process(nats.url, tmp_path_factory.mktemp("service"), **variables) as service:
        service.until(lambda: service.get("/readyz")[0] == 200, 600)
        async with OverNats.standing(nats.url) as transport:
            yield Place(world, transport)


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(shared: Place) -> Place:
    shared.world.begin()
    return shared


async def test_every_subject_has_its_cases():
    assert {one.subject for cases in GROUPS.values() for one in held(cases)} == {one.name for one in subjects()}


@pytest.mark.parametrize("name", GROUPS)
async def test_every_case_has_the_reply_of_the_contract(fresh, name):
    wrong = []
    for case in held(GROUPS[name]):
        try:
            await case.run(fresh)
        except AssertionError as error:
            wrong.append(f"{case}: {error}")
    assert wrong == []


async def test_a_user_can_change_what_a_user_can_change(fresh):
    await followed(fresh)


async def test_a_token_for_another_api_is_given_where_its_audience_is_allowed(fresh):
    subject_token = fresh.world.tenant.impersonator_token("ada")
    body = {"subject_token": subject_token, "target_user": "grace.hopper", "audience": "https://insights-api.example/"}
    assert (await fresh.ask("impersonation.token_exchange", body))["success"] is True
