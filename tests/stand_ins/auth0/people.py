# SPDX-License-Identifier: MIT
"""Making users: the fixture users, by the roles of the mock provider's, and numbered ones for measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0.accounts import DATABASE, Account, Accounts, Profile, new_identity_id
from tests.stand_ins.auth0.passwords import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIXTURES = 6
_LUKASZ = "3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU"


def profile(  # noqa: PLR0913 - a user has that many sides
    user_id: str,
    *,
    username: str = "",
    email: str = "",
    metadata: Mapping[str, Any] | None = None,
    social: Iterable[dict[str, Any]] = (),
    alternates: Iterable[tuple[str, bool]] = (),
    **more: Any,
) -> Profile:
    """Return a user as the tenant keeps them.

    The first identity is the account itself, without profileData. `social`: identities linked to it, each with
    `provider`, `user_id` and whatever of `email`, `email_verified`, `nickname`, `name` it has. `alternates`: address
    and whether it is verified, linked as identities of the connection `email`.
    """
    provider, _, own_id = user_id.partition("|")
    own = _linked(provider, own_id)
    if not _social(provider):
        email = email.lower()  # its own addresses the tenant keeps so; those of others as they came
    linked = [_linked(**one) for one in social if (one["provider"], str(one["user_id"])) != (provider, own_id)]
    fields: dict[str, Any] = {
        "user_id": user_id,
        "username": username,
        "email": email,
        "email_verified": True if email else None,
        "name": (metadata or {}).get("name") or email,
        "nickname": username or email.partition("@")[0],
        "identities": [own, *linked, *(email_identity(address, verified=verified) for address, verified in alternates)],
        "user_metadata": dict(metadata) if metadata else None,
        **more,
    }
    return {key: value for key, value in fields.items() if value not in (None, "")}


def email_identity(address: str, *, verified: bool = True, identity_id: str = "") -> dict[str, Any]:
    """Return a linked identity of the connection `email`."""
    return _linked("email", identity_id or new_identity_id(), email=address, email_verified=verified)


def _linked(provider: str, user_id: str | int, **data: Any) -> dict[str, Any]:
    identity = {
        "provider": provider,
        "user_id": int(user_id) if provider == "github" else user_id,  # GitHub's ids are JSON numbers
        "connection": _connection(provider),
        "isSocial": _social(provider),
    }
    data = {key: value for key, value in data.items() if value not in (None, "")}
    return {**identity, "profileData": data} if data else identity


def _connection(provider: str) -> str:
    return DATABASE if provider == "auth0" else provider


def _social(provider: str) -> bool:
    return provider not in {"auth0", "email", "sms"}


def add_fixtures(accounts: Accounts) -> list[Account]:
    """Add the fixture users. Nobody here exists; the addresses are reserved for examples (RFC 2606)."""
    ada = profile(
        "auth0|ada",
        username="ada",
        email="ada@example.org",
        metadata={
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "family_name": "Lovelace",
            "job_title": "Analyst",
            "organization": "Analytical Engines",
            "organization_domain": "example.org",
            "country": "GB",
            "city": "London",
            "zoneinfo": "Europe/London",
            "bio": "Writes programs for machines that are still to be built.",
            "skills": "mathematics, programming",
        },
        social=[
            {
                "provider": "google-oauth2",
                "user_id": "1029",
                "email": "ada@gmail.example",
                "email_verified": True,
                "nickname": "ada",
                "name": "Ada Lovelace",
            }
        ],
        alternates=[("ada@lovelace.example", True), ("ada@unverified.example", False)],
    )
    grace = profile("auth0|grace.hopper", username="grace.hopper", email="grace@example.org")
    lukasz = profile(
        f"auth0|{_LUKASZ}",
        username="łukasz",
        email="lukasz@example.net",
        metadata={
            "name": "Łukasz Żółć",
            "given_name": "Łukasz",
            "family_name": "Żółć",
            "country": "PL",
            "city": "Łódź",
            "organization": "Przykład",
        },
        alternates=[("l.zolc@example.com", True)],
    )
    linus = profile(
        "auth0|linus_t",
        username="linus_t",
        email="linus@example.com",
        metadata={"name": "Linus T", "t_shirt_size": "L", "phone_number": "+1 555 0100"},
        social=[
            {"provider": "github", "user_id": 4711, "nickname": "linus"},
            {"provider": "linkedin", "user_id": "li-88", "name": "Linus T"},
        ],
        alternates=[("linus@work.example", True), ("linus@home.example", True)],
    )
    social = profile(
        "google-oauth2|2048",
        email="social@gmail.example",
        metadata={"name": "Sam Social", "picture": "https://example.org/sam.png"},
        name="Sam Social",
    )
    nomail = profile("auth0|nomail", username="nomail", metadata={"name": "No Mail"})
    passwords = {"auth0|ada": hashed("correct horse battery staple")}
    return [accounts.add(made, passwords.get(made["user_id"])) for made in (ada, grace, lukasz, linus, social, nomail)]


def add_numbered(accounts: Accounts, count: int) -> None:
    """Add that many users `user00000`, … with the address `user00000@example.org`."""
    for number in range(count):
        name = f"user{number:05}"
        accounts.add(profile(f"auth0|{name}", username=name, email=f"{name}@example.org", metadata={"city": "Oslo"}))
