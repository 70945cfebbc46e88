# SPDX-License-Identifier: MIT
"""The mock provider: everything of the contract that can work without an identity provider, in memory."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from loguru import logger

from app.domain.aliases import AliasPolicy
from app.domain.codes import OneTimeCodes
from app.domain.errors import ImpersonationUnavailable
from app.domain.ports import Absent, Provider
from providers.mock.aliases import MockAliases
from providers.mock.callers import MockCallers
from providers.mock.codes import MemoryCodeStore, MockVerification
from providers.mock.directory import MockDirectory
from providers.mock.identities import MockIdentities, new_identity_tokens
from providers.mock.passwords import MockPasswords, MockResetLinks
from providers.mock.profiles import MockAccounts, MockProfiles
from providers.mock.store import Store
from providers.mock.users_file import load_users

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.settings import Settings


def mock_provider(settings: Settings, now: Callable[[], float] = time.time) -> Provider:
    """Return the mock provider with the users of `MOCK_USERS_FILE`, or the fixture users.

    Raises:
        ConfigurationError: the file is not what it should be.
    """
    logger.warning(
        "USER_REPOSITORY_TYPE=mock: the mock provider takes every caller at their word: "
        "never use it where others can reach it"
    )
    store = Store(load_users(settings.mock.users_file))
    policy = AliasPolicy(frozenset(settings.aliases.allowed_domains))
    tokens = new_identity_tokens(now)
    callers = MockCallers(store, now)
    codes = OneTimeCodes(MemoryCodeStore(now), secrets.token_bytes(32), now, secrets.randbelow)
    return Provider(
        name="mock",
        callers=callers,
        directory=MockDirectory(store, callers),
        profiles=MockProfiles(store),
        accounts=MockAccounts(store),
        verification=MockVerification(codes, tokens),
        identities=MockIdentities(store, tokens, policy, now),
        aliases=MockAliases(store),
        passwords=MockPasswords(store),
        reset_links=MockResetLinks(),
        impersonation=Absent(ImpersonationUnavailable),
    )
