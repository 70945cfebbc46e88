# SPDX-License-Identifier: MIT
"""Every variable, what it is without being set, and what is said when it is wrong."""

from __future__ import annotations

import pytest

from app.settings import SECTIONS, ConfigurationError, Settings, parse_duration

SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"


def test_without_any_variable_the_defaults_of_the_contract_hold():
    settings = Settings()
    assert settings.provider.type == "mock"
    assert settings.nats.servers == ("nats://localhost:4222",)
    assert (settings.nats.timeout, settings.nats.max_reconnect, settings.nats.reconnect_wait) == (10.0, 3, 2.0)
    assert settings.work.request_timeout == 10.0
    assert (settings.work.max_concurrent_requests, settings.work.max_pending_requests) == (256, 65_536)
    assert (settings.http.port, settings.http.bind) == (8080, "*")
    assert (settings.log.level, settings.log.format, settings.log.add_source) == ("info", "json", False)
    assert settings.aliases.allowed_domains == settings.aliases.reserved_extra == ()
    assert settings.mock.users_file is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("250us", 0.00025),
        ("7", 7),
        ("0.25", 0.25),
        (" 2s ", 2),
    ],
)
def test_durations_are_written_as_in_go_or_in_plain_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "10 s", "1s2", "-1s", "ten", "nan", "inf", "0", "0s", "1d", "5sm"])
def test_other_durations_are_refused(text, monkeypatch):
    monkeypatch.setenv("NATS_TIMEOUT", text or " ")
    with pytest.raises(ConfigurationError, match="NATS_TIMEOUT"):
        Settings()


def test_a_variable_that_is_empty_counts_as_unset(monkeypatch):
    for name in ("NATS_URL", "NATS_TIMEOUT", "PORT", "LOG_LEVEL", "NATS_CREDENTIALS", "MOCK_USERS_FILE", "NATS_USER"):
        monkeypatch.setenv(name, "")
    assert Settings().nats.servers == ("nats://localhost:4222",)


NAMES = {
    "AUTH0_TENANT": "tenant",
    "AUTH0_DOMAIN": "domain",
    "AUTH0_M2M_CLIENT_ID": "m2m_client_id",
    "AUTH0_AUDIENCE": "audience",
    "AUTH0_MANAGEMENT_AUDIENCE": "management_audience",
    "AUTH0_ORGANIZATION": "organization",
    "AUTH0_LFX_PROFILE_CLIENT_ID": "profile_client_id",
    "AUTH0_LFX_ONE_CLIENT_ID": "lfx_one_client_id",
    "AUTH0_LFX_V2_API_AUDIENCE": "lfx_v2_api_audience",
}


@pytest.mark.parametrize("variable", NAMES)
@pytest.mark.parametrize(("written", "meant"), [("acme\n", "acme"), (" acme\r\n", "acme"), (" \n", "")])
def test_what_is_blank_around_a_name_is_no_part_of_it(monkeypatch, variable, written, meant):
    monkeypatch.setenv(variable, written)
    assert getattr(Settings().auth0, NAMES[variable]) == meant


def test_what_is_blank_around_a_client_secret_is_no_part_of_it(monkeypatch):
    monkeypatch.setenv("AUTH0_LFX_PROFILE_CLIENT_SECRET", "hidden\n")
    assert Settings().auth0.profile_client_secret.get_secret_value() == "hidden"


@pytest.mark.parametrize("host", ["mail", "mail.example.", " mail.example\n", "192.0.2.1", "2001:db8::1"])
def test_a_mail_server_has_a_name_or_an_address(monkeypatch, host):
    monkeypatch.setenv("EMAIL_SMTP_HOST", host)
    assert Settings().email.host == host.strip()


def test_a_password_is_taken_as_it_stands(monkeypatch):
    monkeypatch.setenv("NATS_USER", "somebody")
    monkeypatch.setenv("NATS_PASSWORD", " pass word ")
    assert Settings().nats.password.get_secret_value() == " pass word "


def test_the_request_timeout_is_that_of_nats_unless_set(monkeypatch):
    monkeypatch.setenv("NATS_TIMEOUT", "4s")
    assert Settings().work.request_timeout == 4
    monkeypatch.setenv("REQUEST_TIMEOUT", "1500ms")
    assert Settings().work.request_timeout == 1.5


def test_lists_are_comma_separated(monkeypatch):
    monkeypatch.setenv("NATS_URL", "nats://a:1, tls://b:2,c,d:4 ")
    monkeypatch.setenv("ALLOWED_ALIAS_DOMAINS", "linux.com, ,example.org")
    settings = Settings()
    assert settings.nats.servers == ("nats://a:1", "tls://b:2", "c", "d:4")
    assert settings.aliases.allowed_domains == ("linux.com", "example.org")


@pytest.mark.parametrize(
    "url", ["http://x", "nats://", "nats://h:port", "nats://h:99999", "NATS://h:1", "a b", ",", "nats://h/x"]
)
def test_an_address_that_is_none_is_refused(url, monkeypatch):
    monkeypatch.setenv("NATS_URL", url)
    with pytest.raises(ConfigurationError, match="NATS_URL"):
        Settings()


def test_one_message_names_every_offending_variable_and_shows_no_value(monkeypatch, tmp_path):
    spoilt = tmp_path / "hush-hush"
    spoilt.write_text("sesame")
    bad = {
        "USER_REPOSITORY_TYPE": "sesame",
        "NATS_URL": "sesame://sesame",
        "NATS_TIMEOUT": "sesame",
        "REQUEST_TIMEOUT": "sesame",
        "NATS_MAX_RECONNECT": "-2",
        "NATS_RECONNECT_WAIT": "sesame",
        "NATS_CREDENTIALS": str(spoilt),
        "NATS_NKEY_SEED": "SUsesame",
        "NATS_TLS_CA": str(spoilt),
        "NATS_TLS_CERT": "/sesame",
        "NATS_TLS_KEY": "/sesame",
        "SUBJECT_PREFIX": "sesame.>",
        "QUEUE_GROUP": "ses ame",
        "MAX_CONCURRENT_REQUESTS": "0",
        "MAX_PENDING_REQUESTS": "sesame",
        "READ_STALE_FOR": "sesame",
        "READ_FRESH_FOR": "-1s",
        "READ_PATIENCE": "0s",
        "READ_MEMORY": "sesame",
        "PORT": "65536",
        "LOG_LEVEL": "sesame",
        "LOG_FORMAT": "sesame",
        "LOG_ADD_SOURCE": "sesame",
        "MOCK_USERS_FILE": "/sesame",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    lines = str(caught.value).splitlines()
    assert lines[0] == "bad configuration:"
    assert {line.strip().partition(":")[0] for line in lines[1:]} == set(bad)
    assert [line for line in lines if "sesame" in line] == [
        f"  {name}: /sesame: cannot be read: No such file or directory"
        for name in ("MOCK_USERS_FILE", "NATS_TLS_CERT", "NATS_TLS_KEY")
    ]


@pytest.mark.parametrize("written", [str.upper, str])
def test_a_variable_under_a_fields_own_name_means_nothing(written, monkeypatch):
    """`USER` is set in every shell."""
    names = {name for section in SECTIONS for name in section.model_fields}
    spoken_for = {str(field.validation_alias) for section in SECTIONS for field in section.model_fields.values()}
    for name in {name for name in names if name.upper() not in spoken_for}:
        monkeypatch.setenv(written(name), "sesame")
    settings = Settings()
    assert "sesame" not in str([vars(settings.nats), vars(settings.work), vars(settings.mock)])
    assert (settings.nats.user, settings.nats.timeout) == (None, 10.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NATS_USER", "NATS_USER, NATS_PASSWORD: one is of no use without the other"),
        ("NATS_PASSWORD", "NATS_USER, NATS_PASSWORD: one is of no use without the other"),
    ],
)
def test_what_belongs_together_is_asked_for_together(name, message, monkeypatch):
    monkeypatch.setenv(name, "sesame")
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert str(caught.value) == f"bad configuration:\n  {message}"


def test_a_credentials_file_needs_a_jwt_and_a_seed(monkeypatch, tmp_path):
    file = tmp_path / "user.creds"
    jwt = "-----BEGIN NATS USER JWT-----\neyJ0.e30.c2ln\n------END NATS USER JWT------\n"
    seed = f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
    monkeypatch.setenv("NATS_CREDENTIALS", str(file))
    for content in (jwt, seed, jwt + seed.replace(SEED, "SUnone"), "\xff"):
        file.write_text(content)
        with pytest.raises(ConfigurationError, match="NATS_CREDENTIALS: holds no"):
            Settings()
    file.write_text(jwt + seed)
    assert Settings().nats.credentials == file


def test_what_a_collector_asks_for_is_masked_in_every_form_in_which_it_may_be_complained_of(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=Zu%20per, authorization Bearer s3cret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=sesame")
    assert set(Settings().secrets) == {"Zu%20per", "Zu per", "authorization Bearer s3cret", "sesame"}


def test_secrets_are_known_for_masking_and_shown_nowhere(monkeypatch):
    monkeypatch.setenv("NATS_NKEY_SEED", SEED)
    monkeypatch.setenv("NATS_USER", "me")
    monkeypatch.setenv("NATS_PASSWORD", "sesame")
    monkeypatch.setenv("NATS_TOKEN", "open")
    monkeypatch.setenv("NATS_URL", "nats://u:inside@h:1,nats://tok@h:2,h:3")
    settings = Settings()
    assert set(settings.secrets) == {SEED, "sesame", "open", "inside", "tok"}
    assert not any(secret in repr(settings.nats) for secret in (SEED, "sesame", "'open'"))


@pytest.mark.parametrize("bind", ["*", "0.0.0.0", "::1", "::", "fe80::1%eth0", "localhost", "node-1.example"])
def test_addresses_on_which_a_machine_listens_are_taken(monkeypatch, bind):
    monkeypatch.setenv("BIND", bind)
    assert Settings().http.bind == bind


@pytest.mark.parametrize(
    "domains",
    [
        *("linux.com", "linux.com,kernel.org", "bücher.example", "bu\u0308cher.example", "xn--bcher-kva.example"),
        *("हिन्दी.भारत", "தமிழ்.example", "क\u094dष.example", "s_1.example"),
    ],
)
def test_domains_of_aliases_are_taken(monkeypatch, domains):
    monkeypatch.setenv("ALLOWED_ALIAS_DOMAINS", domains)
    assert Settings().aliases.allowed_domains == tuple(domains.split(","))


def test_variables_in_another_case_are_somebody_elses(monkeypatch):
    monkeypatch.setenv("log_level", "bogus")
    monkeypatch.setenv("port", "99")
    settings = Settings()
    assert (settings.log.level, settings.http.port) == ("info", 8080)


def test_spans_that_the_contract_does_not_bound_are_taken(monkeypatch):
    monkeypatch.setenv("READ_STALE_FOR", "72h")
    monkeypatch.setenv("NATS_RECONNECT_WAIT", "0s")
    settings = Settings()
    assert (settings.reads.stale_for, settings.nats.reconnect_wait) == (259_200.0, 0.0)
