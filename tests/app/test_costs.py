# SPDX-License-Identifier: MIT
"""Everything that reads what comes from outside in the event loop: no text of a mebibyte takes long.

Where a reader has a bound of its own (a token, an address), texts that just pass it are tried as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from base64 import urlsafe_b64encode

import pytest
from nats.errors import ProtocolError

from app.bus.bodies import text as text_of
from app.bus.nats.client import ReconnectingClient
from app.bus.nats.parser import TolerantParser
from app.bus.replies import encode_failure
from app.bus.subjects import is_inbox
from app.domain import addresses, aliases, identity_tokens, metadata, spellings, subject_ids, tokens
from app.domain.errors import InvalidEmail, ServiceError, UserNotFound
from app.domain.halves import is_unicode
from app.observability.logs import HEADER_LOGGERS
from app.observability.tracing import PROPAGATORS, Tracing
from app.settings import ConfigurationError
from providers.auth0 import passwords
from providers.auth0.impersonation import _refusal
from providers.auth0.tenant import escaping
from providers.auth0.tenant.answers import Answer, BrokenAnswer
from providers.auth0.tokens import jws
from providers.authelia import callers, directory
from providers.authelia.cluster import kubernetes
from providers.authelia.storage import kv, records
from tests.support.costs import MIB, MOST, SLACK, assert_bounded, seconds

PIECES = {
    "letters": "a",
    "digits": "9",
    "dots": ".",
    "labels": "a.",
    "at signs": "a@",
    "bars": "|",
    "names and bars": "a|",
    "token beginnings": "eyJ-",
    "token parts": "eyJhIjoxfQ.",
    "base64": "e30",
    "commas": ",",
    "items": "a,",
    "spaces": " ",
    "wide spaces": "\u2003",
    "tabs and line ends": "\t\n",
    "quotes": '"\\',
    "percent": "%41",
    "half surrogates": "\ud800",
    "letters that grow": "ﷺ",
    "capitals that grow": "İ",
    "sharp s": "ß",
    "accents": "é\u0301\u0327",
    "Hangul": "\u1112\u1161\u11ab",
    "A-labels": "xn--a.",
    "wide digits": "٣",
    "NUL": "\x00",
    "dashes": "-",
    "brackets": "[{",
    "redacted": "[redacted]",
    "passwords": "Password",
}
FRAMES = ("{}", "a@{}", "{}@a.b", "a@b.{}c")


def _headers(text: str) -> object:
    client = ReconnectingClient()
    return asyncio.run(client._process_headers(b"NATS/1.0\r\n" + text.encode("utf-8", "replace") + b"\r\n\r\n"))  # noqa: SLF001 - what a message's headers go through


def _lines(text: str) -> None:
    """Take apart what announces a message: in one line, which a server never sends longer, that comes in two parts."""
    line = text.encode("utf-8", "replace")[:3_900].replace(b"\r\n", b"  ")

    async def parse() -> None:
        for announced in (b"MSG lfx.a 1 " + line, b"HMSG lfx.a 1 " + line, b"-ERR '" + line + b"'", line):
            parser = TolerantParser(ReconnectingClient())
            with contextlib.suppress(ProtocolError):
                await parser.parse(announced)
                await parser.parse(b" 5\r\nhello\r\n")

    asyncio.run(parse())


def _trace(text: str) -> object:
    tracing = Tracing(PROPAGATORS)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traces = (
        {"traceparent": text, "tracestate": text, "baggage": text},
        {"traceparent": parent, "tracestate": text[:8_000], "baggage": text[:8_000]},
        {"uber-trace-id": text[:16_000]},
        {"uber-trace-id": "1:2:0:1", "uberctx-a": text[:16_000]},
    )
    return [tracing.begin(headers) for headers in traces]


def _jwt(text: str) -> str:
    """Return a token of the length that is just looked at, whose claims hold the text."""
    claims = f'{{"sub":"{text[:9_000]}"}}'.encode("utf-8", "replace")
    return f"eyJhbGciOiJub25lIn0.{urlsafe_b64encode(claims).decode().rstrip('=')}."


def _refused(member: str, text: str) -> Answer:
    """Return a refusal of the tenant that says the text."""
    said = text.replace('"', "").replace("\\", "")
    return Answer(403, {}, f'{{"{member}":"{said}"}}'.encode("utf-8", "replace"))


READERS = {
    "a text body": lambda text: text_of(text.encode("utf-8", "surrogatepass")),
    "a token": tokens.bare,
    "an address": lambda text: addresses.parse_address(text, InvalidEmail),
    "a short address": lambda text: addresses.parse_address(text[:254], InvalidEmail),
    "the forms of an address": lambda text: spellings.forms(text[:254]),
    "an address to compare": spellings.comparable,
    "a domain to compare": spellings.comparable_domain,
    "an alias": lambda text: aliases.AliasPolicy(frozenset({"a.b"})).local_part(text),
    "an alias's domain": lambda text: aliases.AliasPolicy(frozenset({"a.b"})).domain(text),
    "the domain of an address": lambda text: aliases.AliasPolicy(frozenset({"a.b"})).covers(text),
    "a username": subject_ids.derive,
    "well-formed text": is_unicode,
    "skills": metadata.tidy_skills,
    "a profile": lambda text: metadata.tidy({"bio": text, "skills": text, "city": text}),
    "an identity token": identity_tokens.unverified_subject,
    "an identity token's claims": lambda text: identity_tokens.unverified_subject(_jwt(text)),
    "what looks like a token": jws.looks_like_token,
    "what begins like a token": lambda text: jws.looks_like_token(f"eyJhIjoxfQ.{text}.{text}"),
    "a tenant's token": jws.parse,
    "a tenant's token's claims": lambda text: jws.parse(_jwt(text)),
    "a path": escaping.segment,
    "a search": escaping.phrase,
    "a key of a bucket": kv.is_legal_key,
    "an Authelia user": records.is_username,
    "an Authelia reference": directory.AutheliaDirectory(None, None).named,
    "a record": lambda text: records.parse(text.encode("utf-8", "replace")),
    "a record's text": lambda text: records.user("ada", {"email": text, "sub": text}),
    "what userinfo answers": lambda text: callers._object(text[:65_536].encode("utf-8", "replace")),  # noqa: SLF001 - the reader
    "what the tenant answers": lambda text: Answer(200, {}, text.encode("utf-8", "replace")).json(),
    "what the tenant answers, in a string": lambda text: Answer(
        200, {}, b'{"a":"' + text.replace('"', "'").encode("utf-8", "surrogatepass") + b'\\u0041"}'
    ).json(),
    "a refusal": lambda text: _refusal(_refused("error", text)),
    "a refused password": lambda text: passwords._refusal(_refused("message", text)),  # noqa: SLF001 - the reader
    "headers": _headers,
    "a header": lambda text: _headers(f"traceparent: {text}"),
    "many headers": lambda text: _headers("\r\n".join([f"{text[:1]}: b"] * 170_000)),
    "a trace": _trace,
    "a line of NATS": _lines,
    "a reply subject": is_inbox,
    "a failure": encode_failure,
}


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Let nobody log each odd member of a header: the service does not either."""
    for name in HEADER_LOGGERS:
        caplog.set_level(logging.ERROR, logger=name)


def test_a_cost_that_grows_faster_than_the_text_is_found_where_it_is_below_the_bound():
    with pytest.raises(AssertionError, match="for a sixteenth"):
        assert_bounded(lambda text: [text.count("z", at) for at in range(0, len(text), 2048)], "a")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(reader, piece):
    def read(text: str) -> None:
        for frame in FRAMES if "address" in reader else FRAMES[:1]:
            with contextlib.suppress(ServiceError, ValueError, BrokenAnswer, UnicodeError, ConfigurationError):
                READERS[reader](frame.format(text))

    assert_bounded(read, PIECES[piece])


@pytest.mark.parametrize("reader", [name for name in READERS if "alias" in name or "address" in name])
def test_what_is_longer_than_any_is_refused_before_its_case_is_looked_at(reader):
    text = "İ" * MIB

    def read() -> None:
        with contextlib.suppress(ServiceError):
            READERS[reader](text)

    assert seconds(read) < seconds(text.lower) / 4


@pytest.mark.parametrize("reader", ["a key of a bucket", "an Authelia user", "an Authelia reference"])
@pytest.mark.parametrize("piece", ["a", "a."])
def test_no_name_is_looked_at_that_is_longer_than_any(reader, piece):
    """Nor taken for one that is worth a question to storage, as would be one of legal characters alone."""
    text = (piece * MIB)[: MIB - 1]

    def read() -> None:
        with contextlib.suppress(UserNotFound):
            assert READERS[reader](text) is False

    assert seconds(read) < seconds(text.lower)


ANSWERS = {
    "members": b"{" + b",".join(b'"%x":0' % n for n in range(200_000)) + b"}",
    "numbers": b"[" + b"1," * 900_000 + b"1]",
    "fractions": b"[" + b"1.5," * 500_000 + b"1]",
    "long numbers": b"[" + b"9" * 2_000_000 + b"]",
    "many long numbers": b"[" + (b"9" * 60 + b",") * 32_000 + b"1]",
    "arrays": b"[" + b"[]," * 600_000 + b"1]",
    "objects": b"[" + b'{"":0},' * 280_000 + b"1]",
    "strings": b"[" + b'"a",' * 500_000 + b"1]",
    "escapes": b"[" + b'"\\u0041",' * 49_000 + b"1]",
    "half surrogates": b'["' + b"\\ud800" * 340_000 + b'"]',
    "deep": b"[" * 2_000_000,
    "two users, one of many values and one of deep ones": b'[{"user_metadata": {"a": ['
    + b"0," * 480_000
    + b'0]}}, {"user_metadata": {"a": '
    + b"[" * 1_500
    + b"]" * 1_500
    + b"}}]",
    "deep, then a string without an end": b"[" * 2_000 + b'"' + b'\\"' * 900_000,
    "deep, then strings": b"[" * 2_000 + b'"a"' * 600_000,
    "nothing": b" " * 2_000_000,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_a_tenant_takes_long(name):
    def read() -> None:
        with contextlib.suppress(BrokenAnswer):
            Answer(200, {}, ANSWERS[name]).json()

    assert seconds(read, MOST) <= MOST * SLACK


@pytest.mark.parametrize("name", ANSWERS)
def test_no_record_takes_long(name):
    assert seconds(lambda: records.parse(ANSWERS[name][:MIB]), MOST) <= MOST * SLACK


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_kubernetes_takes_long(name):
    def read() -> None:
        with contextlib.suppress(BrokenAnswer, ValueError, RecursionError):
            kubernetes._parsed(ANSWERS[name])  # noqa: SLF001 - the reader

    assert seconds(read, MOST) <= MOST * SLACK


@pytest.mark.parametrize("value", [",", "[", '\\"', "\\\\"])
def test_what_stands_in_a_string_is_no_value(value):
    profile = f'{{"city": "{value * 100_000}"}}'.encode()
    assert records.parse(profile) is not None
    assert Answer(200, {}, profile).json()["city"]


def test_a_token_is_none_when_its_header_is_longer_than_any():
    header = urlsafe_b64encode(b'{"a":"' + b"x" * 20_000 + b'"}').decode().rstrip("=")
    assert not jws.looks_like_token(f"{header}.e30.x")
    assert jws.looks_like_token(f"e30.{'A' * 100_000}.x")
