# SPDX-License-Identifier: MIT
"""The people of the contract's cases. A world makes each of them exist with its provider, as they are here."""

from __future__ import annotations

from dataclasses import dataclass, field

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Alternate:
    """A further address of somebody."""

    email: str
    verified: bool = True


@dataclass(frozen=True)
class Social:
    """A social identity of somebody."""

    provider: str
    identity_id: str
    email: str = ""
    email_verified: bool = False
    nickname: str = ""
    name: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody, as the contract sees them; who has no `username` has a social account only."""

    subject: str
    username: str = ""
    primary_email: str = ""
    metadata: dict[str, object] = field(default_factory=dict)
    social: tuple[Social, ...] = ()
    alternates: tuple[Alternate, ...] = ()
    password: str | None = None
    exists: bool = True


ada = Person(
    "auth0|ada",
    "ada",
    "ada@example.org",
    {"name": "Ada Lovelace", "city": "London", "country": "GB", "t_shirt_size": 7},
    (
        Social("google-oauth2", "1029", "ada@gmail.example", email_verified=True, nickname="ada", name="Ada Lovelace"),
        Social("github", "4711"),
    ),
    (Alternate("ada@lovelace.example"), Alternate("ada@unverified.example", verified=False)),
    PASSWORD,
)
grace = Person("auth0|grace.hopper", "grace.hopper", "grace@example.org")
lukasz = Person(
    "auth0|3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU",
    "łukasz",
    "lukasz@example.net",
    {"name": "Łukasz Żółć", "city": "Łódź"},
    alternates=(Alternate("l.zolc@example.com"),),
)
linus = Person("auth0|linus_t", "linus_t", "linus@example.com", alternates=(Alternate("linus@work.example"),))
sam = Person(
    "google-oauth2|2048",
    primary_email="sam@gmail.example",
    social=(Social("google-oauth2", "2048", "sam@gmail.example", email_verified=True, name="Sam Social"),),
)
nomail = Person("auth0|nomail", "nomail")
shadow = Person(
    "auth0|shadow",
    "shadow",
    "shadow@example.org",
    alternates=(Alternate("grace@example.org"), Alternate("ada@unverified.example", verified=False)),
)
maria = Person("auth0|maria", "maria", "maria@linux.com")
olaf = Person("auth0|olaf", "olaf", "olaf@example.org", alternates=(Alternate("olaf@linux.com", verified=False),))
case_matters = Person("auth0|Ada", "Ada", "capital@example.org")
no_primary = Person("auth0|no_primary", "no_primary", alternates=(Alternate("only@example.org"),))
nobody = Person("auth0|nobody", "nobody", exists=False)

EVERYBODY = (ada, grace, lukasz, linus, sam, nomail, shadow, maria, olaf, case_matters, no_primary)
