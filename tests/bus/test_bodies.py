# SPDX-License-Identifier: MIT
"""Reading bodies, and what of them is masked in the log: never long, whatever they are."""

from __future__ import annotations

import contextlib
import io
import json
from functools import partial
from urllib.parse import quote

import pytest

from app.bus.bodies import MAX_NESTED, read, strings_sent, text
from app.domain.disclosures import ImpersonationAttempt
from app.domain.redaction import MAX_SECRET, MAX_SECRETS, redact
from app.domain.users import UserMetadata
from app.observability.logs import AuditLog
from app.observability.telemetry import Telemetry
from app.settings import LogSettings
from routers import subjects
from routers.metadata import UpdateMetadata
from tests.support.costs import MIB, MOST, SLACK, seconds
from tests.support.logs import service_log

SUBJECTS = {subject.name: subject for subject in subjects()}


def _filled(before: str, piece: str, between: str, after: str) -> bytes:
    """Return a body of a mebibyte."""
    many = (MIB - len((before + after).encode())) // len((piece + between).encode())
    return (before + between.join([piece] * many) + after).encode()


def _keys(before: str, after: str) -> bytes:
    return (before + ",".join(f'"{n:x}":0' for n in range(100_000)) + after).encode()[:MIB]


BODIES = {
    "pieces of the word": _filled('{"x":[', '"[","[re","red","act","ted]","redacted","[redacted]","d]["', ",", "]}"),
    "the same in a field": _filled('{"token":"', "[redacted]", "", '","user_metadata":{"bio":"act","city":"red"}}'),
    "tokens": _filled('{"token":"', "eyJ-", "", '"}'),
    "at signs": _filled('{"token":"', "a@", "", '","email":"a@a"}'),
    "bars": _filled('{"token":"', "|", "", '"}'),
    "small arrays": _filled('{"x":[', "[" * 150 + "]" * 150, ",", "]}"),
    "small objects": _filled('{"x":[', '{"":0}', ",", "]}"),
    "brackets in a string": _filled('{"token":"', '[{\\"\\\\', "", '"}'),
    "quotes": b'"' * MIB,
    "open brackets": b"[" * MIB,
    "open braces": _filled("", '{"a":', "", ""),
    "keys": _keys("{", "}"),
    "keys in a field": _keys('{"token":"a","user_metadata":{', "}}"),
    "one key": _filled("{", '"token":"a"', ",", "}"),
    "digits": _filled('{"x":', "9", "", "}"),
    "long numbers": _filled('{"x":[', "9" * 4_000, ",", "]}"),
    "exponents": _filled('{"x":[', "1e999999", ",", "]}"),
    "half surrogates": _filled('{"token":"', "\\ud800", "", '"}'),
    "surrogates": _filled('{"token":"', "\\ud83d\\ude00", "", '"}'),
    "escapes": _filled('{"token":"', "\\n", "", '"}'),
    "wide letters": _filled('{"token":"', "ﷺ", "", '"}'),
    "what is to be quoted": _filled('{"token":"', "é%\\u0000'", "", '"}'),
    "a list for an object": _filled('{"user_metadata":[', "0", ",", "]}"),
    "no UTF-8": b"\xff" * MIB,
    "a domain": _filled("a@", "a.", "", "b"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("subject", ["user_metadata.update", "email_linking.verify", "email_to_sub"])
def test_no_body_takes_long_to_read_nor_to_mask(subject, name):
    request, body = SUBJECTS[subject].request, BODIES[name]

    def understand() -> None:
        with contextlib.suppress(ValueError):
            text(body) if request is None else read(request, body)

    assert seconds(understand, MOST) <= MOST * SLACK
    assert seconds(lambda: strings_sent(request, body), MOST) <= MOST * SLACK


@pytest.mark.parametrize("name", BODIES)
def test_no_failing_request_takes_long_to_log(name):
    out = io.StringIO()
    sent = partial(strings_sent, UpdateMetadata)
    telemetry = Telemetry(version="0", provider="mock").of_subject("user_metadata.update", sent)
    body = BODIES[name]
    words = body.decode("utf-8", "surrogateescape")

    def fail() -> None:
        telemetry.unexpected(ValueError(words), body)
        AuditLog().impersonation(ImpersonationAttempt(words, words, words, words))

    with service_log(LogSettings(), ["configured-secret"], out):
        assert seconds(fail, MOST) <= MOST * SLACK
    assert max(map(len, out.getvalue().splitlines())) < 100_000


def test_the_strings_of_known_fields_are_masked_and_no_others():
    body = b'{"token": "Bearer hunter", "x": "act", "user_metadata": {"city": "Oslo", "y": "ted]"}, "username": 5}'
    sent = set(strings_sent(UpdateMetadata, body))
    assert {"Bearer hunter", "hunter", "Oslo", "oslo", "Bearer%20hunter"} <= sent
    assert not {"act", "ted]"} & sent
    assert "Jo'hn" in strings_sent(None, b" Jo'hn\n")
    assert strings_sent(UpdateMetadata, b"{") == []


@pytest.mark.parametrize(
    ("field", "good"),
    [
        ("[]," * (MAX_NESTED - 3) + "[]", True),
        ("[]," * (MAX_NESTED - 2) + "[]", False),
        ('{"":[]},' * (MAX_NESTED // 2) + "[]", False),
        (f'"{"[{" * MAX_NESTED}"', True),
        (f'"{"[" * MAX_NESTED}\\\\\\"[[","\\\\"', True),
    ],
)
def test_only_arrays_and_objects_are_counted(field, good):
    body = f'{{"token": "a", "x": [{field}]}}'.encode()
    if good:
        assert read(UpdateMetadata, body).token == "a"
    else:
        json.loads(body)
        with pytest.raises(ValueError, match="too many"):
            read(UpdateMetadata, body)


STRING = 'Bearer Öde "Straße"\t\\ \'X'


@pytest.mark.parametrize("written", [str, str.lower, repr, json.dumps, quote])
@pytest.mark.parametrize("string", [STRING, f" {STRING}\n", STRING.removeprefix("Bearer ")])
def test_of_a_string_that_was_sent_nothing_is_shown_however_it_is_written(string, written):
    text = f"<{written(string)}>"
    sent = strings_sent(UpdateMetadata, json.dumps({"token": f" {STRING}\n"}).encode())
    assert redact(text, sent) in {"<[redacted]>", '<"[redacted]">', "<'[redacted]'>"}


@pytest.mark.parametrize("longer", [-1, 0, 1, 5_000])
def test_of_a_string_of_any_length_nothing_is_shown(longer):
    string = "".join(f"{number:x}-" for number in range(3_000))[: MAX_SECRET + longer]
    sent = strings_sent(UpdateMetadata, json.dumps({"token": string}).encode())
    assert redact(f"before {string}", sent) == "before [redacted]"


def test_every_spelling_of_every_field_is_masked():
    fields = {name: f' Bearer É"{name}\u0007/ ' for name in UserMetadata.model_fields}
    body = {"token": ' bearer Ü"token\n/ ', "username": ' Bearer Ö"username\t/ ', "user_metadata": fields}
    sent = strings_sent(UpdateMetadata, json.dumps(body).encode())
    assert 256 < len(sent) < MAX_SECRETS
    assert {redact(secret, sent) for secret in sent} == {"[redacted]"}
