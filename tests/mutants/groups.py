# SPDX-License-Identifier: MIT
"""Which modules are changed, and which quick tests are to notice it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Group:
    """Modules that the same tests concern: files, or a folder with a slash at its end."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


def _group(name: str, folder: str, modules: str, tests: str, *more: str) -> Group:
    """Return a group: modules without the ending, in one folder; tests likewise, in the folder that is named first."""
    place, *files = tests.split()
    return Group(
        name,
        tuple(f"{folder}/{module}.py" for module in modules.split()),
        (*(f"tests/{place}/test_{file}.py" for file in files), *more),
    )


SELECTED: Final = "not contract or (mock and memory)"
"""Of the contract's cases those that need neither sockets nor another process; for `-k`."""

GROUPS: Final = (
    _group("addresses", "app/domain", "addresses spellings", "domain addresses spellings"),
    _group("codes", "app/domain", "codes", "domain codes"),
    _group(
        "domain",
        "app/domain",
        "around deadline identity_tokens json_bounds locks subject_ids tasks tokens",
        "domain deadline identity_tokens json_bounds subject_ids tasks tokens",
    ),
    _group("halves", "app/domain", "halves", "domain halves"),
    _group("redaction", "app/domain", "disclosures redaction", "domain redaction redaction_bounds"),
    _group(
        "rules",
        "app/domain",
        "aliases emails errors impersonation linking lookups metadata passwords users",
        "domain addresses emails lookups metadata scopes tokens",
        "tests/contract/",
    ),
    _group("jws", "providers/auth0/tokens", "jws", "providers/auth0 jws"),
    _group(
        "tokens",
        "providers/auth0/tokens",
        "background credentials keys verifier",
        "providers/auth0 background key_sets own_token verified_tokens",
    ),
    _group("answers", "providers/auth0/tenant", "answers errors escaping", "providers/auth0 answers refusals escaping"),
    _group(
        "tenant",
        "providers/auth0/tenant",
        "budget client flights limiter retries",
        "providers/auth0 calls flights retries told_pauses",
    ),
    _group("mapping", "providers/auth0", "mapping odd_fields", "providers/auth0 mapping wire_users"),
    _group(
        "authelia-codes",
        "providers/authelia/codes",
        "sends signing store used_tokens",
        "providers/authelia codes_kept sends signing_key",
    ),
    _group(
        "authelia-storage",
        "providers/authelia/storage",
        "claims lookup_keys moved records social subjects users",
        "providers/authelia address_races older_alternates records subject_races storage whose_subject",
    ),
    _group(
        "authelia-files",
        "providers/authelia/cluster",
        "splicing users_file",
        "providers/authelia users_file written_files",
    ),
    _group(
        "remembering",
        "providers/remembering",
        "directory memory names outages records",
        "providers/remembering directory memory memory_bounds patience",
    ),
    _group("forgetting", "providers/remembering", "forgetting", "providers/remembering directory forgetting"),
    _group("turns", "app/bus", "lanes turns", "bus whose_turn"),
    _group(
        "message",
        "app/bus",
        "bodies gate replies request subjects subscriber",
        "bus bodies one_message traced_requests",
    ),
    _group("parser", "app/bus/nats", "parser", "bus parser"),
    _group("repetition", "app/bus", "broadcast repetition", "bus told_again"),
)
