# SPDX-License-Identifier: MIT
"""Scopes of the Management API: what the command needs, and what it grants."""

from __future__ import annotations

from typing import Final

READING: Final = (
    "read:clients",
    "read:client_keys",
    "read:client_credentials",
    "read:client_grants",
    "read:connections",
    "read:resource_servers",
    "read:actions",
    "read:token_exchange_profiles",
)
"""For `check`, `plan` and `env`."""

APPLYING: Final = (
    "create:clients",
    "update:clients",
    "create:client_credentials",
    "create:client_grants",
    "update:client_grants",
    "create:connections",
    "update:connections",
    "create:resource_servers",
    "update:resource_servers",
    "create:actions",
    "update:actions",
    "create:token_exchange_profiles",
)
"""For `apply`, besides."""

IMPERSONATING: Final = (
    "read:actions",
    "read:token_exchange_profiles",
    "create:resource_servers",
    "create:actions",
    "update:actions",
    "create:token_exchange_profiles",
)
"""Those of the above that are needed for impersonation alone."""

SERVICE: Final = ("create:users", "read:users", "update:users", "delete:users")
EVENTS: Final = "read:events"
USERS: Final = ("update:current_user_metadata", "update:current_user_identities")
LOOKUP: Final = ("read:users",)
