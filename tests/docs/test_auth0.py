# SPDX-License-Identifier: MIT
"""The operator's page of the Auth0 provider forgets no error, no variable and no subject."""

from __future__ import annotations

import re

from app.domain.errors import WIRES
from app.settings.auth0 import Auth0Settings
from routers import subjects
from tests.docs.blocks import TOP

PAGE = (TOP / "docs" / "providers" / "auth0.md").read_text(encoding="utf-8")
NOT_HERE = {
    "verification code not found or expired",
    "invalid verification code",
    "too many attempts, request a new code",
    "too many verification requests, try again later",
    "invalid identity token",
    "alias_service_unavailable",
    "password change is not supported for Authelia users",
    "password reset link is not supported for Authelia users",
    "failed to send verification email",
}


def rows(title):
    part = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in part.splitlines()
        if line.startswith("| `")
    ]


def test_every_error_of_this_provider_has_its_cause_and_remedy():
    table = PAGE[PAGE.index("<!-- troubleshooting -->") : PAGE.index("<!-- /troubleshooting -->")]
    found = re.findall(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert sorted(error for error, _, _ in found) == sorted(WIRES - NOT_HERE)


def test_the_errors_that_never_come_are_named():
    after = PAGE.partition("Never on this provider")[2].partition("###")[0]
    assert set(re.findall(r"`([^`]+)`", after)) == NOT_HERE


def test_every_variable_of_this_provider_has_its_place():
    known = {str(field.validation_alias) for field in Auth0Settings.model_fields.values()}
    placed = {row[0].strip("`") for row in rows("Where each value goes")}
    assert placed == known | {"AUTH0_ALIAS_RESERVED_EXTRA", "SSL_CERT_FILE"}


def test_every_subject_has_its_calls():
    named = [name for row in rows("What is called, and by whose right") for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(named) == sorted(subject.name for subject in subjects())
