# SPDX-License-Identifier: MIT
"""docs/configuration.md says of every setting what the code says, and of no other."""

from __future__ import annotations

import re

import pytest
import yaml

from app.settings import SECTIONS, Settings
from app.settings.administration import AdministrationSettings
from providers.mock.users_file import load_users
from tests.docs.tables import TABLES, TOP, secrecy, with_table

PAGE = TOP / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (?:`([^`]*)` )?\|", re.MULTILINE)


def documented():
    return dict(ROW.findall(PAGE.read_text(encoding="utf-8")))


def test_every_setting_is_documented_and_nothing_else():
    fields = [field for section in SECTIONS for field in section.model_fields.values()]
    assert set(documented()) == {field.validation_alias for field in fields}


def test_the_variables_of_the_command_that_sets_up_a_tenant_have_a_table_of_their_own():
    page = PAGE.read_text(encoding="utf-8")
    part = page.partition("\n## Variables of `auth-service tenant`\n")[2].partition("\n## ")[0]
    fields = AdministrationSettings.model_fields.values()
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE) == [
        (str(field.validation_alias), f"{field.description}{secrecy(field)}") for field in fields
    ]


def test_every_setting_has_a_description():
    fields = {f.validation_alias: f.description for s in SECTIONS for f in s.model_fields.values() if not f.exclude}
    assert [name for name, description in fields.items() if not description] == []


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_generated_tables_are_up_to_date(page):
    assert page.read_text(encoding="utf-8") == with_table(page), "write it anew with `make asyncapi`"


@pytest.mark.parametrize(
    ("variable", "default"),
    {
        "USER_REPOSITORY_TYPE": "mock",
        "NATS_URL": "nats://localhost:4222",
        "NATS_TIMEOUT": "10s",
        "SUBJECT_PREFIX": "lfx.auth-service.",
        "QUEUE_GROUP": "lfx.auth-service.queue",
        "REQUEST_TIMEOUT": "",
        "READ_STALE_FOR": "1h",
        "READ_FRESH_FOR": "0s",
        "READ_FRESH_FOR_WITH_EVENTS": "600s",
        "READ_PATIENCE": "1s",
        "READ_MEMORY": "32MiB",
        "NATS_MAX_RECONNECT": "3",
        "NATS_RECONNECT_WAIT": "2s",
        "MAX_CONCURRENT_REQUESTS": "256",
        "MAX_PENDING_REQUESTS": "65536",
        "PORT": "8080",
        "BIND": "*",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "json",
        "LOG_ADD_SOURCE": "false",
        "ALLOWED_ALIAS_DOMAINS": "",
        "AUTH0_ALIAS_RESERVED_EXTRA": "",
        "MOCK_USERS_FILE": "",
    }.items(),
)
def test_the_documented_default_is_what_was_agreed(variable, default):
    assert documented()[variable] == default


def test_the_documented_defaults_are_a_configuration_that_means_the_same(monkeypatch):
    for name, default in documented().items():
        monkeypatch.setenv(name, default)
    given = Settings()
    for name in documented():
        monkeypatch.delenv(name)
    unset = Settings()
    for section in ("provider", "nats", "reads", "http", "log", "aliases", "mock"):
        assert getattr(given, section) == getattr(unset, section)
    assert given.work.request_timeout == unset.work.request_timeout == 10.0


def test_secrets_are_marked():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.endswith("Secret. |")]
    assert [row.split("`")[1] for row in rows] == [
        "NATS_NKEY_SEED",
        "NATS_PASSWORD",
        "NATS_TOKEN",
        "AUTH0_M2M_PRIVATE_BASE64_KEY",
        "AUTH0_LFX_PROFILE_CLIENT_SECRET",
        "AUTHELIA_SIGNING_KEY",
        "EMAIL_SMTP_PASSWORD",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
        "AUTH0_ADMIN_TOKEN",
        "AUTH0_ADMIN_CLIENT_SECRET",
    ]


def test_the_users_file_shown_can_be_loaded(tmp_path):
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    file = tmp_path / "users.yaml"
    file.write_text(block, encoding="utf-8")
    ((entry, token),) = load_users(file)
    assert (entry.user.user_id, token) == ("auth0|ada", "ada-token")
    assert set(yaml.safe_load(block)["users"][0]) == {
        "username",
        "user_id",
        "token",
        "primary_email",
        "password",
        "user_metadata",
        "identities",
        "alternate_emails",
    }
