# SPDX-License-Identifier: MIT
"""Random and mutated requests on every subject: one well-formed reply each, and the service well afterwards."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from app.main import running
from app.settings import AliasSettings, HttpSettings, NatsSettings, Settings
from routers import subjects
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.msg import Msg

ROUNDS = 120
"""Mutated requests a subject, beside the fixed ones."""

AT_ONCE = 256
BARE = frozenset({"email_to_username", "email_to_sub", "username_to_sub"})
TOKENS = ("ada-token", "grace-token", "auth0|ada", "ada", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhdXRoMHxhZGEifQ.")
STRINGS = (
    *TOKENS,
    "",
    " ",
    "\x00",
    "🦉" * 50,
    "é",
    "ada@example.org",
    "linux.com",
    "a" * 5_000,
    "\u202e",
    "%s{}\\",
    "*.>",
)
VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 10**30, 1e308, float("nan"), float("-inf"), [], {}, [[]], {"": {}})
FIXED: dict[str, bytes] = {
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 100_000,
    "brackets in a field": b'{"user":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "closed brackets": b"[" * 50_000 + b"]" * 50_000,
    "no UTF-8": b"\xff\xfe\xfd",
    "no UTF-8 in a field": b'{"token": "\xc3\x28", "user": {"auth_token": "\xff"}}',
    "overlong UTF-8": b"\xc0\xaf@example.org",
    "surrogates in UTF-8": b"\xed\xa0\x80",
    "lone surrogates": b'{"token": "\\ud800", "email": "\\udfff", "user": {"auth_token": "\\udc00"}}',
    "a huge number": b"9" * 5_000,
    "a huge number in a field": b'{"token": ' + b"9" * 5_000 + b"}",
    "a huge exponent": b'{"token": 1e999999999, "user": 1E+400}',
    "NaN": b'{"token": NaN, "user": Infinity, "email": -Infinity}',
    "duplicate keys": b'{"token": "a", "token": 5, "user": null, "user": {"auth_token": "x", "auth_token": null}}',
    "many keys": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(20_000)) + b"}",
    "900 kB of text": b"a" * 900_000,
    "900 kB of white space": b" " * 900_000,
    "900 kB in a field": b'{"token": "' + b"x" * 900_000 + b'"}',
    "900 kB of dots": b"." * 900_000,
    "900 kB of at signs": b"@" * 900_000,
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"token": "x"}'.encode("utf-16"),
    "NULs": b"\x00" * 100,
    "two objects": b"{}{}",
    "a long token": b'{"token": "' + b".".join([b"eyJh" * 3_000] * 3) + b'"}',
}
HEADERS: tuple[dict[str, str] | None, ...] = (
    None,
    {"content-type": "application/xml"},
    {"Content-Type": "text/plain", "traceparent": "00-zz-zz-zz"},
    {"traceparent": "00-" + "f" * 32 + "-" + "f" * 16 + "-01", "Nats-Rollup": "all"},
    {"X": "y" * 10_000, "correlation_id": ""},
)


def _mutated(value: Any, chance: random.Random) -> Any:
    """Return the example's value with something in it replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return {**value, key: _mutated(value[key], chance)}
    return chance.choice([*STRINGS, *VALUES]) if chance.random() < 0.9 else {str(chance.choice(STRINGS)): value}


def _known(value: Any) -> Any:
    """Put tokens that the mock knows where the example has one, so that mutations get past the first checks."""
    if isinstance(value, dict):
        return {key: _known(inner) for key, inner in value.items()}
    return "ada-token" if value == "eyJ…" else value


def _torn(body: bytes, chance: random.Random) -> bytes:
    """Return the bytes with some of them cut out, doubled or changed."""
    at = chance.randrange(len(body) + 1)
    match chance.randrange(3):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + chance.randbytes(chance.randrange(1, 9)) + body[at:]
        case _:
            return body[:at] + body[at + 1 :] + body[:at]


def _bodies(example: Any, chance: random.Random) -> Iterator[bytes]:
    yield from FIXED.values()
    for number in range(ROUNDS):
        value = _mutated(_known(example), chance)
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        yield _torn(body, chance) if number % 3 == 0 else body
        if number % 10 == 0:
            yield chance.randbytes(chance.randrange(200))


def _check(subject: str, body: bytes, reply: bytes) -> None:
    if not (subject in BARE and not reply.startswith(b"{")):
        told = json.loads(reply)
        assert isinstance(told, dict), (subject, body[:200])
        assert told["success"] is True or set(told) == {"success", "error"}, (subject, body[:200])
        assert told.get("error") != "internal error", (subject, body[:200])
    assert reply.decode("utf-8"), (subject, body[:200])


@pytest.mark.parametrize("seed", [1])
async def test_one_well_formed_reply_to_whatever_comes(nats, seed):
    settings = Settings(
        NatsSettings(servers=(nats.url,)),
        HttpSettings(port=0, bind="127.0.0.1"),
        AliasSettings(allowed_domains=("linux.com",)),
    )
    chance = random.Random(seed)
    replies: dict[str, list[bytes]] = {}
    sent: dict[str, tuple[str, bytes]] = {}
    free = asyncio.Semaphore(AT_ONCE)

    async def replied(message: Msg) -> None:
        replies[message.subject].append(message.data)
        free.release()

    async with running(settings) as service:
        await service.broker.start()
        client = await connect(nats.url)
        inboxes = client.new_inbox()
        await client.subscribe(f"{inboxes}.*", cb=replied)
        async with asyncio.timeout(60):
            for subject in subjects():
                for body in _bodies(subject.example.send, chance):
                    inbox = f"{inboxes}.{len(sent)}"
                    sent[inbox], replies[inbox] = (subject.name, body), []
                    await free.acquire()
                    await client.publish(subject.address, body, inbox, headers=chance.choice(HEADERS))
            for _ in range(AT_ONCE):
                await free.acquire()
        well = await client.request("lfx.auth-service.username_to_sub", b"ada", timeout=60)
        assert well.data == b"auth0|ada"
        listed = await client.request(
            "lfx.auth-service.user_identity.list", b'{"user": {"auth_token": "ada"}}', timeout=30
        )
        assert json.loads(listed.data)["success"] is True
        assert service.broker.turns.at_work == service.broker.turns.pending == 0
        assert service.broker.state == ""
    await client.flush()
    await client.close()
    assert {len(got) for got in replies.values()} == {1}
    for inbox, (subject, body) in sent.items():
        _check(subject, body, replies[inbox][0])
