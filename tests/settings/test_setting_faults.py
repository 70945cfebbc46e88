# SPDX-License-Identifier: MIT
"""Whatever is wrong with the configuration, one message names all of it, and shows no secret."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import providers
from app.settings import SECTIONS, ConfigurationError, Settings
from app.settings.exporters import tidy_environment
from tests.stand_ins.certificates import Authority

SESAME = "s3same"
MISSING = "/nowhere/of/that/name"


def short_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


SHORT_KEY = short_key()

# Of each variable values that are wrong by their type, by their content, or as a file.
BAD = {
    "NATS_URL": [
        "http://u:s3same@h",
        "nats://u:s3same@h:port",
        "nats://s3#same@nats:4222",
        "nats://s3?same@nats:4222",
        "nats://u:12#same@nats:4222",
        "nats://h:4222?tls=1",
    ],
    "NATS_TIMEOUT": [SESAME, "0s", "9999999h"],
    "NATS_MAX_RECONNECT": ["-2", SESAME, "1" * 5000],
    "NATS_RECONNECT_WAIT": [SESAME],
    "NATS_CREDENTIALS": [MISSING, "/", "{garbage}"],
    "NATS_NKEY_SEED": [f"SU{SESAME}"],
    "NATS_TLS_CA": [MISSING, "{garbage}"],
    "NATS_TLS_CERT": [MISSING, "{garbage}"],
    "NATS_TLS_KEY": [MISSING, "{garbage}", "/proc/self/mem"],  # the last can be opened, and not be read
    "SUBJECT_PREFIX": ["lfx.*", "lfx.>", "lfx..auth", "a b", "$SRV.x", "_INBOX.x", ".", "é", "a" * 65, "a.\nb"],
    "QUEUE_GROUP": ["a b", "a..b", "*", "a" * 65],
    "REQUEST_TIMEOUT": [SESAME],
    "MAX_CONCURRENT_REQUESTS": ["0", SESAME],
    "MAX_PENDING_REQUESTS": ["-1", SESAME],
    "READ_STALE_FOR": ["-1s", "721h", SESAME],
    "READ_FRESH_FOR": ["-1", "721h", SESAME],
    "READ_FRESH_FOR_WITH_EVENTS": ["-1", "721h", SESAME],
    "READ_PATIENCE": ["0", "0s", SESAME],
    "READ_MEMORY": ["-1", "32MB", "1.5MiB", "٣٢", "1" * 30, "2000GiB", SESAME],
    "PORT": ["65536", SESAME],
    "BIND": ["nonsense host", f"http://{SESAME}", "a..b", "127.0.0.1:80 80"],
    "ALLOWED_ALIAS_DOMAINS": [
        "@linux.com",
        f"https://{SESAME}",
        "linux.com; kernel.org",
        "linux.com.",
        "a..b",
        "a:b",
        "क\u094d\u200dष.example",
        "linux\ufe0f.com",
        "a\u034f.org",
        "a" * 254,
    ],
    "LOG_LEVEL": [SESAME],
    "LOG_FORMAT": [SESAME],
    "LOG_ADD_SOURCE": [SESAME],
    "AUTH0_IMPERSONATION_REQUIRE_CLAIM": [SESAME],
    "AUTH0_EVENTS": [SESAME],
    "AUTH0_EVENTS_REPLICAS": ["6", SESAME],
    "AUTHELIA_OIDC_USERINFO_URL": [
        f"ftp://{SESAME}",
        f"https://u:{SESAME}@h/x",
        "https://a b",
        "https://[::1",
        "https://h:99999",
        "https:///x",
    ],
    "AUTHELIA_CONFIGMAP_NAME": ["a/b", "../b", "a?b", "A", "a" * 254, "-"],
    "AUTHELIA_CONFIGMAP_NAMESPACE": ["a/b", "a\nb"],
    "AUTHELIA_DAEMONSET_NAME": ["a#b", "."],
    "AUTHELIA_SECRET_NAME": ["a%2fb", "a_b"],
    "AUTHELIA_SIGNING_KEY": [SESAME, SHORT_KEY, base64.b64encode(SHORT_KEY.encode()).decode()],
    "AUTHELIA_KV_REPLICAS": ["6", SESAME],
    "AUTHELIA_TRUST_UNVERIFIED_IDENTITY_TOKENS": [SESAME],
    "AUTHELIA_CLIENT_TOKENS": [SESAME],
    "EMAIL_SMTP_HOST": [" ", "a b", "mail.example:25", f"smtp://{SESAME}"],
    "EMAIL_SMTP_PORT": ["many", "0"],
    "EMAIL_FROM_ADDRESS": [SESAME, "a@..", ".a@x", "a..b@x", "a@x..", "=?utf-8?q?a?=@x", "a b@x"],
    "EMAIL_FROM_NAME": [f"a\n{SESAME}"],
    "OTEL_SDK_DISABLED": [SESAME],
    "OTEL_TRACES_EXPORTER": [SESAME],
    "OTEL_METRICS_EXPORTER": [SESAME],
    "OTEL_LOGS_EXPORTER": [SESAME],
    "OTEL_EXPORTER_OTLP_PROTOCOL": [SESAME],
    "OTEL_TRACES_SAMPLER": [SESAME],
    "OTEL_TRACES_SAMPLER_ARG": ["1.5", SESAME],
    "OTEL_METRIC_EXPORT_INTERVAL": ["1", SESAME],
    "OTEL_PROPAGATORS": [SESAME],
    "SSL_CERT_FILE": [MISSING, "{garbage}"],
    # One without the other:
    "EMAIL_SMTP_USERNAME": ["somebody"],
    "NATS_PASSWORD": [SESAME],
}
OF_PROVIDER = {
    "mock": {"MOCK_USERS_FILE": [MISSING, "{garbage}"]},
    "auth0": {
        "AUTH0_DOMAIN": [f"https://{SESAME}", "tenant.example:99999", "tenant.example:0"],
        "AUTH0_M2M_PRIVATE_BASE64_KEY": [SESAME, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
        "AUTH0_M2M_CLIENT_ID": ["", " "],
        "AUTH0_AUDIENCE": ["", "\n"],
        "AUTH0_LFX_PROFILE_CLIENT_ID": ["", " \r\n"],
        "AUTH0_LFX_PROFILE_CLIENT_SECRET": ["", "\t"],
    },
    "authelia": {},
    SESAME: {  # nobody knows which one is meant: what is set is looked at all the same
        "MOCK_USERS_FILE": ["{garbage}"],
        "AUTH0_DOMAIN": [f"https://{SESAME}", "tenant.example:99999", "tenant.example:0"],
        "AUTH0_M2M_PRIVATE_BASE64_KEY": [SESAME],
    },
}
FILES = [
    "NATS_CREDENTIALS",
    "NATS_TLS_CA",
    "NATS_TLS_CERT",
    "NATS_TLS_KEY",
    "SSL_CERT_FILE",
    "MOCK_USERS_FILE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
]
NUMBERS = [
    *(f"OTEL_{kind}_{name}" for kind in ("BSP", "BLRP") for name in ("SCHEDULE_DELAY", "EXPORT_TIMEOUT")),
    *(f"OTEL_{kind}_{name}" for kind in ("BSP", "BLRP") for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")),
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
]
# Not shown: what is a secret, and what may hold one because it was put into the wrong place.
SECRETS = [SESAME, *SHORT_KEY.split("\n")[1:3], base64.b64encode(SHORT_KEY.encode()).decode()[:30]]


@pytest.fixture(scope="module")
def garbage(tmp_path_factory):
    file = tmp_path_factory.mktemp("files") / "garbage.txt"
    file.write_text(f"users: {SESAME}\n")
    return str(file)


@pytest.fixture(scope="module")
def good_auth0():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "AUTH0_DOMAIN": "tenant.example",
        "AUTH0_M2M_CLIENT_ID": "id",
        "AUTH0_M2M_PRIVATE_BASE64_KEY": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "AUTH0_AUDIENCE": "audience",
        "AUTH0_LFX_PROFILE_CLIENT_ID": "id",
        "AUTH0_LFX_PROFILE_CLIENT_SECRET": "hidden",
    }


def named(environment):
    """The variables that the message names, and the message."""
    with patch.dict(os.environ, environment):
        try:
            Settings(further=providers.faults)
        except ConfigurationError as error:
            first, *lines = str(error).splitlines()
            assert first == "bad configuration:"
            assert [line for line in lines if not line.startswith("  ") or ": " not in line] == []
            return {name for line in lines for name in line.strip().partition(":")[0].split(", ")}, str(error)
    return set(), ""


@pytest.mark.parametrize("name", BAD)
def test_each_bad_value_is_named(name, garbage):
    assert [value for value in BAD[name] if name not in named({name: value.replace("{garbage}", garbage)})[0]] == []


@pytest.mark.parametrize("provider", list(OF_PROVIDER))
@settings(deadline=None, derandomize=True, database=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_of_the_bad_variables_are_named_all_at_once_and_no_secret_is_shown(provider, data, garbage, good_auth0):
    possible = BAD | OF_PROVIDER[provider]
    chosen = data.draw(st.sets(st.sampled_from(sorted(possible))))
    environment = {"USER_REPOSITORY_TYPE": provider, **(good_auth0 if provider == "auth0" else {})}
    for name in chosen:
        environment[name] = data.draw(st.sampled_from(possible[name])).replace("{garbage}", garbage)
    wrong, message = named(environment)
    expected = chosen | ({"USER_REPOSITORY_TYPE"} if provider == SESAME else set())
    # Others are named only beside them: the other half of a pair.
    alone = wrong - {"EMAIL_SMTP_PASSWORD", "NATS_USER", "NATS_TLS_CERT", "AUTH0_TENANT"}
    assert expected <= wrong
    assert alone <= expected
    assert [secret for secret in SECRETS if secret in message] == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("path", "reason"), [(MISSING, "No such file or directory"), ("/", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named_with_its_path(name, path, reason):
    wrong, message = named({name: path, "OTEL_LOGS_EXPORTER": "otlp"})
    assert name in wrong
    assert f"  {name}: {path}: cannot be read: {reason}" in message


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_or_a_device_in_the_place_of_a_file_is_refused_unread(name, tmp_path):
    """Nobody writes to the pipe, the device has no end: whoever reads them waits for ever."""
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        wrong, message = named({name: path, "OTEL_LOGS_EXPORTER": "otlp"})
        assert name in wrong
        assert f"  {name}: {path}: cannot be read: it is a pipe or a device, and no file" in message


def test_of_a_key_no_more_is_read_than_what_is_small(tmp_path):
    leaf = Authority(tmp_path).leaf()
    late = tmp_path / "late.pem"
    late.write_bytes(b"\n" * 1024 * 1024 + leaf.read_bytes())
    assert named({"NATS_TLS_CERT": str(leaf), "NATS_TLS_KEY": str(late)})[0] == {"NATS_TLS_KEY"}


@pytest.mark.parametrize(
    "name", [str(field.validation_alias) for one in SECTIONS for field in one.model_fields.values()]
)
def test_bytes_that_are_no_utf_8_are_refused_in_any_variable(name):
    _, message = named({name: os.fsdecode(b"s3same\xff")})
    assert f"  {name}: must be UTF-8" in message.splitlines()
    assert SESAME not in message


@pytest.mark.parametrize(
    "value",
    [
        "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        f"eyJ{'a' * 40}.eyJ{'b' * 40}.{'c' * 86}",
        "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t" * 50,
    ],
)
def test_a_secret_that_stands_where_its_file_belongs_is_not_shown(value):
    wrong, message = named({"NATS_CREDENTIALS": value})
    assert wrong == {"NATS_CREDENTIALS"}
    assert value[:20] not in message
    assert value[-20:] not in message


@pytest.mark.parametrize("given", ["EMAIL_SMTP_USERNAME", "EMAIL_SMTP_PASSWORD"])
def test_half_of_what_a_mail_server_asks_for_is_refused(given):
    _, message = named({given: "somebody"})
    assert message == (
        "bad configuration:\n  EMAIL_SMTP_USERNAME, EMAIL_SMTP_PASSWORD: one is of no use without the other"
    )
    assert named({"EMAIL_SMTP_USERNAME": "somebody", "EMAIL_SMTP_PASSWORD": "hidden"}) == (set(), "")


def test_two_buckets_of_one_name_are_refused():
    _, message = named({"AUTHELIA_CLAIMS_KV_BUCKET": "authelia-otp-ledger"})
    assert message == (
        "bad configuration:\n  AUTHELIA_OTP_LEDGER_KV_BUCKET, AUTHELIA_CLAIMS_KV_BUCKET: "
        "each bucket needs a name of its own, all of these are authelia-otp-ledger"
    )
    assert named({"AUTHELIA_CLAIMS_KV_BUCKET": "claims"}) == (set(), "")


def test_a_certificate_and_a_key_are_looked_at_each_by_itself_and_together(tmp_path):
    authority = Authority(tmp_path)
    both, others = str(authority.leaf("good")), str(authority.leaf("expired"))
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    parts = re.findall(r"-----BEGIN.*?-----END[^\n]*\n", Path(both).read_text(), re.DOTALL)
    certificate.write_text("".join(part for part in parts if "CERTIFICATE" in part))
    key.write_text("".join(part for part in parts if "PRIVATE KEY" in part))
    pair = {"NATS_TLS_CERT": str(certificate), "NATS_TLS_KEY": str(key)}
    assert named(pair) == named({"NATS_TLS_CERT": both}) == named(pair | {"NATS_TLS_KEY": both}) == (set(), "")
    assert named(pair | {"NATS_TLS_KEY": others})[0] == {"NATS_TLS_CERT", "NATS_TLS_KEY"}
    assert named({"NATS_TLS_CERT": str(certificate)})[0] == {"NATS_TLS_CERT", "NATS_TLS_KEY"}
    assert named(pair | {"NATS_TLS_CERT": str(key)})[0] == {"NATS_TLS_CERT"}
    assert named(pair | {"NATS_TLS_KEY": str(certificate)})[0] == {"NATS_TLS_KEY"}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "abc"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", MISSING),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", MISSING),
        ("OTEL_BSP_SCHEDULE_DELAY", "-5"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "999999"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "abc"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "1.5"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http:///v1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[collector]:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://collector:99999"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", os.fsdecode(b"http://a\xff")),
        ("OTEL_RESOURCE_ATTRIBUTES", os.fsdecode(b"team=\xff")),
        *((name, number) for name in NUMBERS for number in ("9" * 10, "9" * 20)),
    ],
)
def test_what_only_the_exporters_read_is_named_too(name, value, protocol):
    on = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")}
    wrong, _ = named({name: value, "PORT": "many", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, **on})
    assert {name, "PORT"} <= wrong <= {name, "PORT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}
    assert named({name: value}) == (set(), "")


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        *((one, "http://[::1]:4317") for one in ("grpc", "http/protobuf")),
        *((one, "collector:4317") for one in ("grpc", "http/protobuf")),
        ("http/protobuf", "https://u:s3same@collector/otlp"),
        ("grpc", "dns:///collector:4317"),
        ("grpc", "unix:/run/collector.sock"),
    ],
)
def test_addresses_of_collectors_that_the_exporters_know_are_taken(protocol, endpoint):
    on = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        assert named({name: endpoint, **on}) == (set(), "")


def test_the_exporters_get_their_addresses_without_the_blanks_around_them():
    with patch.dict(os.environ, {"OTEL_EXPORTER_OTLP_ENDPOINT": " http://collector:4317 "}):
        tidy_environment({"traces": "grpc"}, insecure=False)
        assert os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4317"


def test_a_file_of_variables_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "variables.env"
    file.write_bytes(b"PORT=\xff\n")
    with patch.dict(os.environ, {"LOG_LEVEL": SESAME}), pytest.raises(ConfigurationError) as caught:
        Settings(env_file=file)
    lines = str(caught.value).splitlines()
    assert lines[1] == f"  {file}: cannot be read: it is no UTF-8"
    assert lines[2].startswith("  LOG_LEVEL: ")


def test_what_is_right_counts_also_beside_what_is_wrong():
    """What stands together is judged by what was given, not by a default in the place of a bad neighbour."""
    wrong, message = named({"NATS_USER": "me", "NATS_PASSWORD": SESAME, "NATS_TIMEOUT": SESAME})
    assert wrong == {"NATS_TIMEOUT"}
    assert SESAME not in message
