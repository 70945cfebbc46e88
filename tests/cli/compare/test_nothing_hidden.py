# SPDX-License-Identifier: MIT
"""Whatever differs is told, and "nothing differs" is said of two services that were asked, and of nothing else."""

from __future__ import annotations

import asyncio
import codecs
import json
from itertools import count

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.cli.compare.answers import Answer
from app.cli.compare.differences import Difference, Kind, differences
from app.cli.compare.masking import Mask
from app.cli.compare.reads import Read, Request, requests_for
from tests.cli.compare.command import NEW, OLD, beside, compare, end, start
from tests.support.answering import NOT_FOUND, answering
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import until

LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "error"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner))
REPLIES = st.fixed_dictionaries({}, optional={"success": VALUES | st.booleans(), "error": VALUES, "data": VALUES})


@given(REPLIES, REPLIES)
def test_two_objects_that_are_not_equal_differ(old, new):
    old, new = (json.dumps(one, sort_keys=True) for one in (old, new))
    assume(old != new)
    assert differences(Answer(old.encode(), 0.1), Answer(new.encode(), 0.1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"success":true,"data":1e400}', b'{"success":true,"data":2e400}'),
        (b'{"success":true,"data":12345678901234567.1}', b'{"success":true,"data":12345678901234567.2}'),
        (b'{"success":true,"data":[0.1]}', b'{"success":true,"data":[0.10000000000000000001]}'),
        (b'{"success":true,"data":1e99999999999999999999}', b'{"success":true,"data":2e99999999999999999999}'),
        (b'{"success":false,"error":"user not found","error":"x"}', b'{"success":false,"error":"x"}'),
        (b'{"success":true,"data":{"a":1,"a":2}}', b'{"success":true,"data":{"a":2}}'),
    ],
    ids=["infinite", "precise", "in a list", "beyond all exponents", "an error twice", "a name twice"],
)
def test_numbers_and_names_that_some_libraries_take_for_the_same_differ(old, new):
    assert differences(Answer(old, 0.1), Answer(new, 0.1))


def test_metadata_of_a_user_who_had_none_are_not_known(nats):
    new = {"success": True, "data": {"name": "Eve"}}
    with beside(nats.url, {"user_metadata.read": {"success": True, "data": None}}, {"user_metadata.read": new}):
        done = compare(nats.url, b"auth0|ada\n")
    assert (done.status, done.report["verdict"]) == (1, "they differ")


def test_what_passes_time_and_again_is_no_write_in_between(nats):
    """A service whose first answer is always wrong, and its second right."""
    asked = count()

    async def wrong_at_first(client, message):
        await client.publish(message.reply, b"ada" if next(asked) >= 3 else b"eve")

    with beside(nats.url, new={"email_to_username": wrong_at_first}):
        done = compare(nats.url, b"a@example.org\nb@example.org\nc@example.org\n")
    (one,) = done.report["differences"]
    assert (done.status, one["passing"], one["count"], one["wanted"]) == (1, True, 3, False)


def test_one_service_by_two_names_is_not_compared_with_itself(nats):
    names = ("--old", nats.url, "--new", nats.url.replace("127.0.0.1", "localhost"), "--new-prefix", OLD)
    with beside(nats.url):
        done = compare("nats://unused:1", b"ada\n", *names)
    assert (done.status, done.output) == (2, "")
    assert "old and new are one service" in done.errors


async def test_one_prefix_on_two_nats_is_two_services(nats):
    with nats_server(0) as other:
        async with answering(nats.url, OLD), answering(other.url, OLD, {"username_to_sub": b"auth0|eve"}):
            process = await start(nats.url, "--inputs", "-", "--new", other.url, "--new-prefix", OLD)
            done = await end(process, b"ada\n")
    assert (done.status, done.kinds) == (1, {("username_to_sub", "value", "")})


def test_a_file_as_windows_writes_it(nats):
    with beside(nats.url) as (old, _):
        done = compare(nats.url, codecs.BOM_UTF8 + b"ada@example.org\r\n\r\n")
        assert (done.status, old.received[0]) == (0, ("email_to_username", b"ada@example.org"))
        wide = compare(nats.url, "ada@example.org\r\n".encode("utf-16"))
        only = compare(nats.url, codecs.BOM_UTF8)
    assert (wide.status, wide.output) == (2, "")
    assert wide.errors.endswith(": it is in UTF-16; save it as UTF-8\n")
    assert (only.status, only.report["asked"]) == (2, 0)


def test_a_file_that_cannot_be_read_to_its_end(nats):
    with beside(nats.url):
        done = compare(nats.url, None, "--inputs", "/proc/self/mem")
    assert (done.status, done.output, done.errors) == (2, "", "/proc/self/mem: Input/output error\n")


@pytest.mark.parametrize("errors", ["2>&1 >/dev/full", ">/dev/full 2>&-"])
async def test_a_report_that_cannot_be_written_is_none(nats, errors):
    async with answering(nats.url, OLD), answering(nats.url, NEW):
        done = await end(await start(nats.url, "--inputs", "-", shell=errors), b"ada\n")
    assert (done.status, done.errors) == (2, "")
    assert done.output == ("" if "2>&-" in errors else "standard output: No space left on device\n")


async def test_every_request_that_passes_is_told_also_those_that_nobody_had_time_for(nats):
    async with answering(nats.url, NEW) as new:
        process = await start(nats.url, "--from-traffic", "10m", "--rate", "20")
        sent = 0
        async with await connect(nats.url) as client:
            while not new.received:
                await client.publish(f"{OLD}username_to_sub", b"ada")
                sent += 1
                await asyncio.sleep(0.1)
            heard = len(new.received)
            for _ in range(1_500):
                await client.publish(f"{OLD}username_to_sub", b"ada")
            for _ in range(1_500):
                await client.publish(f"{OLD}add_alias", b"{}")
            await client.flush()
        process.terminate()
        done = await end(process)
    report = done.report
    told = report["asked"] + report["left_out"] + sum(report["passed_by"].values())
    assert report["passed_by"] == {"add_alias": 1_500}
    assert heard + 3_000 <= told <= sent + 3_000


def shown(old, new, kind=Kind.VALUE, body=b"ada@example.org"):
    request = Request(Read.METADATA, body)
    mask = Mask()
    return " ".join((*mask.difference(Difference(kind, "", old, new), request), mask.request(request)))


@pytest.mark.parametrize(
    "text",
    [
        "Grace Hopper @ home, Arlington",
        "Grace Hopper | Arlington",
        "Contact: Grace Hopper <grace@example.org>, Arlington",
        "Grace Arlington Hopper",
        "Arlington\nGrace Hopper",
    ],
)
def test_no_name_is_shown_of_a_text_about_a_person(text):
    for name in ("Grace", "Hopper", "Arlington", "grace@"):
        assert name not in shown(text, "x")
        assert name not in shown("x", "y", body=text.encode())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b"auth0|grace", "no user GRACE here"),
        (b"grace@example.org", "Grace is unknown"),
        (b"GRACE", "user grace unknown"),
        (b"ada", "user 'Grace Hopper' unknown"),
        (b"ada", "no such user: grace.hopper"),
        (b"ada", "nobody has the id 5f7c8ec7c33c6c004bbafe82grace"),
    ],
)
def test_no_name_is_shown_of_an_error_about_a_person(asked, said):
    assert "grace" not in shown(said, "user not found", Kind.ERROR, asked).lower()


def test_two_errors_that_differ_in_what_is_masked_are_told_apart():
    old, new = Mask().difference(
        Difference(Kind.ERROR, "", "no ada here", "no ADA here"), Request(Read.METADATA, b"ada")
    )
    assert (old, new) == ("no [redacted] here (its case)", "no [redacted] here (another case)")


@pytest.mark.parametrize("token", ["ewogICJhbGciOiJSUzI1NiJ9.e30.c2ln", "eyAiYWxnIjoiUlMyNTYifQ.e30.c2ln"])
def test_tokens_are_not_shown_however_their_header_is_spaced(token):
    request = Request(Read.METADATA, token.encode())
    assert Mask(show=True).request(request) == "[token]"


def test_bearer_is_read_in_any_case():
    assert [one.read for one in requests_for(b"bEARER x")] == [Read.METADATA, Read.EMAILS, Read.IDENTITIES]


def test_nobody_is_found_by_either_and_that_is_the_same(nats):
    with beside(nats.url, {"user_metadata.read": NOT_FOUND}, {"user_metadata.read": NOT_FOUND}):
        assert compare(nats.url, b"auth0|ada\n").report["verdict"] == "both say the same"


async def test_what_was_compared_is_told_also_when_nats_goes_away():
    with nats_server(0) as server:
        async with answering(server.url, OLD), answering(server.url, NEW) as new:
            process = await start(server.url, "--inputs", "-", "--timeout", "500ms", "--rate", "5")
            process.stdin.write(b"ada\n" * 50)
            await until(lambda: len(new.received) >= 3, 120)
    await asyncio.sleep(1)
    process.terminate()
    done = await end(process)
    assert done.output, done.errors
    assert (done.status, done.report["cut_short"]) == (1, "it was asked to")
    assert done.report["differences"][0]["example"]["new"] == "NATS is away"
