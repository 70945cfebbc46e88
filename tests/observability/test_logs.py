# SPDX-License-Identifier: MIT
"""What gets into the log, in which form, and what never does."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import time

import pytest
from loguru import logger

from app.domain.deadline import current_deadline
from app.domain.disclosures import ImpersonationAttempt, VerificationCode
from app.domain.errors import UpstreamError
from app.domain.users import Address
from app.observability.logs import AuditLog
from app.observability.otlp import Exports, exporter
from app.settings import LogSettings, Settings
from app.settings.telemetry import TelemetrySettings
from providers.mock import mock_provider
from tests.support.collector import attributes, http_collector
from tests.support.logs import service_log
from tests.support.slow import place

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhdXRoMHxhZGEifQ.c2ln"


class Away(UpstreamError):
    wire = "the provider is away"


@pytest.fixture
def log():
    with contextlib.ExitStack() as stack:

        def begin(forward=None, **settings):
            stream = io.StringIO()
            given = LogSettings(**{"level": "debug", **settings})
            sink = stack.enter_context(service_log(given, ["configured-secret"], stream))
            sink.forward = forward
            return stream

        yield begin


def _records(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_json_object_on_a_line(log):
    stream = log()
    logger.bind(subject="s", many=[1]).info("two\nlines")
    (record,) = _records(stream)
    assert (record["level"], record["message"], record["subject"]) == ("info", "two\nlines", "s")
    assert "source" not in record


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_no_record_is_lost_for_characters_that_the_output_does_not_have(encoding):
    output = io.BytesIO()
    with service_log(LogSettings(), (), io.TextIOWrapper(output, encoding, write_through=True)):
        for name in ("ada", "Łada", "ada\u2060", "é", "😀"):
            AuditLog().impersonation(ImpersonationAttempt("auth0|ada", name, "success"))
    targets = [json.loads(line)["target_user"] for line in output.getvalue().decode(encoding).splitlines()]
    assert targets == ["ada", "Łada", "ada ", "é", "😀"]


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_shown(log, level, shown):
    stream = log(level=level)
    for name in ("DEBUG", "INFO", "WARNING", "ERROR"):
        logger.log(name, "x")
    assert len(_records(stream)) == shown


def test_the_source_is_shown_when_asked_for_of_libraries_too(log):
    stream = log(add_source=True)
    logger.info("ours")
    logging.getLogger("somebody").warning("theirs")
    assert all(__file__ in record["source"] for record in _records(stream))


def test_the_console_form_is_a_line_for_people(log):
    stream = log(format="console")
    logger.bind(subject="lookups").warning("request failed")
    assert stream.getvalue()[12:] == " warn  request failed  subject=lookups\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("john@example.org left", "joh****@example.org left"),
        ("GET /users?email=john%40example.org", "GET /users?email=joh****%40example.org"),
        ("user auth0|johnny", "user auth0|joh****"),
        ("GET /users/auth0%7Cjohnny", "GET /users/auth0%7Cjoh****"),
        (f"got {JWT}!", "got [token]!"),
        ("authelia_at_abcdef", "[token]"),
        ("code 123456 sent", "code [code] sent"),
        ("nats://me:hush@host:4222", "nats://[redacted]@host:4222"),
        ("the configured-secret is out", "the [redacted] is out"),
        ("{'password': 'hush hush'}", "{'password': [redacted]}"),
    ],
)
def test_what_is_secret_or_names_a_person_is_masked_wherever_it_turns_up(log, text, shown):
    stream = log()
    logger.bind(detail=text).info(text)
    logging.getLogger("library").warning("%s", text)
    ours, theirs = _records(stream)
    assert ours["message"] == ours["detail"] == theirs["message"] == shown


def test_a_traceback_is_masked_too(log):
    stream = log()
    try:
        raise ValueError("john@example.org")  # noqa: TRY301 - what is raised is what is looked for
    except ValueError:
        logger.exception("failed")
    assert "john@" not in stream.getvalue()
    assert "joh****@example.org" in _records(stream)[0]["exception"]


def test_what_libraries_say_below_a_warning_is_left_out(log):
    stream = log()
    logging.getLogger("httpx").debug("GET /users?q=username:ada")
    assert stream.getvalue() == ""


def test_neither_ill_formed_text_nor_odd_values_stop_the_log(log, capsys):
    class Odd:
        def __str__(self) -> str:
            raise ValueError("john@example.org")

    stream = log()
    logger.info("ill \udc80")
    logger.bind(odd=Odd()).info("odd")
    assert [record["message"] for record in _records(stream)] == ["ill \udc80", "unwritable record: ValueError"]
    assert capsys.readouterr().err == ""


def test_what_cannot_be_forwarded_stops_no_log_and_shows_nothing_of_the_record(log, capsys):
    def forward(_: object) -> None:
        raise ConnectionError("john@example.org")

    stream = log(forward=forward)
    logger.info("for somebody else")
    assert [record["message"] for record in _records(stream)] == ["unwritable record: ConnectionError"]
    assert "john" not in stream.getvalue() + "".join(capsys.readouterr())


def test_the_two_disclosures_and_nothing_else_pass_in_clear(log):
    stream = log()
    logger.bind(disclosed=VerificationCode("john@example.org", "123456")).info("verification code")
    AuditLog().impersonation(ImpersonationAttempt("auth0|johnny", "jane@example.org", "granted"))
    AuditLog().impersonation(ImpersonationAttempt("auth0|johnny", "jane@example.org", "granted", "x\n" * 400))
    logger.bind(disclosed={"code": "123456"}).info("not typed")
    code, audit, asked, other = _records(stream)
    assert code["message"] == "verification code for joh****@example.org: 123456"
    assert (audit["impersonator"], audit["target_user"]) == ("auth0|johnny", "jane@example.org")
    assert "audience" not in audit
    assert asked["audience"] == "x " * 160 + "…"
    assert "123456" not in json.dumps(other)


async def test_no_level_keeps_back_the_code_that_is_told_nowhere_else(log):
    stream = log(level="error")
    await mock_provider(Settings(), time.time).verification.send_code(Address("new@example.org"))
    [record] = _records(stream)
    assert record["level"] == "info"
    assert record["message"].startswith("verification code for n****@example.org: ")


@pytest.mark.parametrize("level", ["debug", "error"])
async def test_an_unexpected_exception_shows_its_traceback_and_nothing_the_caller_sent(log, nats, level):
    async def fail(reference: str) -> None:
        raise ValueError(f"no good: {reference!r} {reference.lower()} {reference.removeprefix('Bearer ')}")

    stream = log(level=level)
    async with place(nats.url, fail) as service:
        await service.ask("user_metadata.read", b"Bearer Jo'hn-Secret")
        await service.ask("user_emails.read", b'{"user": {"auth_token": " Pass\\n\\"W\\u00f6rd "}}')
    unexpected = [r for r in _records(stream) if r["message"] == "unexpected exception"]
    assert [record["level"] for record in unexpected] == ["error", "error"]
    assert all("Traceback" in record["exception"] for record in unexpected)
    for secret in ("hn-Secret", "hn-secret", "Pass", "pass\\n", "rd "):
        assert not any(secret in record["exception"].rpartition("no good")[2] for record in unexpected), secret


async def test_levels_say_whose_fault_it_was(log, nats):
    async def fail(reference: str) -> None:
        if reference == "away":
            raise Away from ConnectionError("GET /users?username=away")

    stream = log()
    async with place(nats.url, fail) as service:
        await service.ask("username_to_sub", b"ada")
        await service.ask("user_metadata.read", b"nobody")
        await service.ask("user_metadata.read", b"away")
        await service.until(lambda: "ConnectionError" in stream.getvalue())
    records = [record for record in _records(stream) if "outcome" in record]
    assert [(record["level"], record["outcome"]) for record in records] == [
        ("debug", "success"),
        ("info", "caller_error"),
        ("warn", "upstream_error"),
    ]
    assert records[2]["cause"] == "ConnectionError: GET /users?username=[redacted]"


def test_what_the_sdk_says_of_a_record_that_it_is_given_is_a_record(log, capsys):
    def forward(fields):
        if not fields.get("logger"):
            error = ConnectionError("johann@example.org")
            logging.getLogger("opentelemetry.sdk.a").error("Queue full", exc_info=error)

    stream = log(forward)
    logger.info("told")
    inner, outer = _records(stream)
    assert (outer["message"], inner["message"], inner["level"]) == ("told", "Queue full", "error")
    assert (inner["logger"], inner["error"]) == ("opentelemetry.sdk.a", "ConnectionError: joh****@example.org")
    assert capsys.readouterr().err == ""


def test_masking_a_large_body_does_not_stop_the_service(log):
    stream = log()
    begun = time.thread_time()
    logger.bind(secrets=[f"value-{n}" for n in range(20_000)]).error("x" * 5_000)
    assert time.thread_time() - begun < 5
    assert len(_records(stream)) == 1


@pytest.mark.parametrize(("seconds", "outcome"), [(0.3, "done"), (60, "cut off")])
async def test_how_a_write_ended_after_its_request_timed_out_is_logged(log, nats, seconds, outcome):
    async def write(_: str) -> None:
        current_deadline().commit()
        await asyncio.sleep(seconds)

    stream = log()
    async with place(nats.url, write, timeout=0.2) as service:
        assert await service.ask("user_metadata.read", b"nomail") == b'{"success":false,"error":"request timed out"}'
        await service.until(lambda: "write ended" in stream.getvalue())
        assert await service.all_replies() == [[b'{"success":false,"error":"request timed out"}']]
    (ended,) = (record for record in _records(stream) if record["message"].startswith("write ended"))
    assert (ended["level"], ended["outcome"]) == ("warn", outcome)


def test_half_a_character_takes_no_other_record_to_the_collector_with_it(log, monkeypatch):
    with http_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        exports = Exports(TelemetrySettings(), "0")
        log(exports.logs(exporter("logs", "http/protobuf")))
        logger.info("before")
        logger.bind(half="\ud800").info("half \udfff")
        exports.close(60)
        assert [record.body.string_value for record in collector.records] == ["before", "half \\udfff"]
        assert attributes(collector.records[1])["half"] == "\\ud800"
