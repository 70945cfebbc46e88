# SPDX-License-Identifier: MIT
"""How the command is used, what it prints in each form, and what it does with anything that comes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import random
import re
import struct
import sys
import termios
import tracemalloc

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.compare.answers import Answer, Object, Opaque, Text, understood
from app.cli.compare.differences import Difference, Kind, differences
from app.cli.compare.masking import Mask
from app.cli.compare.reads import Read, Request, requests_for
from app.cli.compare.tally import Latencies, Tally
from tests.cli.compare.command import NEW, OLD, PATIENCE, beside, compare, end, start
from tests.support.answering import answering
from tests.support.memory import memory
from tests.support.waiting import until

OTHER = {"success": True, "data": {"primary_email": "eve@example.org", "alternate_emails": []}}
JSON_READS = [Read.METADATA, Read.EMAILS, Read.IDENTITIES]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a file of inputs"),
        (("--inputs", "-", "--from-traffic", "1s"), "name a file of inputs"),
        (("--inputs", "-"), "old and new are one service"),
        (("--inputs", "-", "--new-prefix", "lfx.auth-service"), "old and new are one service"),
        (("--inputs", "-", "--new-prefix", "lfx.*"), "--new-prefix"),
        (("--inputs", "-", "--old-prefix", "$SRV."), "--old-prefix"),
        (("--from-traffic", "", "--new-prefix", "next."), "--from-traffic"),
        (("--from-traffic", "soon", "--new-prefix", "next."), "--from-traffic"),
        (("--inputs", "-", "--new-prefix", "next.", "--rate", "0"), "--rate"),
        (("--inputs", "-", "--new-prefix", "next.", "--timeout", "-1s"), "--timeout"),
        (("--inputs", "/nowhere/inputs.txt", "--new-prefix", "next."), "/nowhere/inputs.txt: No such file"),
        (("--inputs", "/", "--new-prefix", "next."), "/: Is a directory"),
        (("--inputs", "-", "--new-prefix", "next.", "--old", "nats://u:s3same@127.0.0.1:1"), "Connection refused"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_2(arguments, said):
    done = CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "s3same" not in done.stderr


def test_nothing_asked_is_nothing_shown(nats):
    done = compare(nats.url, b"\n  \n")
    assert (done.status, done.report["verdict"], done.report["asked"]) == (2, "nothing was compared", 0)


def test_addresses_and_ids_are_masked_unless_shown(nats):
    new = {"user_emails.read": OTHER, "email_to_sub": {"success": False, "error": "no ada@example.org here"}}
    lines = b"ada@example.org\ngrace.hopper\nauth0|grace.hopper\n"
    with beside(nats.url, new=new):
        masked = compare(nats.url, lines)
        shown = compare(nats.url, lines, "--show")
    for name in ("ada@", "eve@", "grace.hopper"):
        assert name not in masked.output
        assert name in shown.output
    (addresses,) = [one["example"] for one in masked.report["differences"] if one["where"] == "data.primary_email"]
    assert (addresses["old"], addresses["new"]) == ("a****@example.org", "e****@example.org")
    asked = {one["example"]["asked"] for one in masked.report["differences"]}
    assert asked == {"a****@example.org", "gra****"}


def test_two_values_that_look_the_same_when_masked_are_told_apart(nats):
    with beside(nats.url, new={"email_to_sub": b"auth0|adx"}):
        done = compare(nats.url, b"ada@example.org\n")
    example = done.report["differences"][0]["example"]
    assert example["old"] != example["new"]


def test_a_person_can_read_it(nats):
    new = {"user_emails.read": OTHER, "user_metadata.read": {"success": True, "data": {"skills": "C"}}}
    old = {"user_metadata.read": {"success": True, "data": {}}}
    with beside(nats.url, old=old, new=new):
        text = compare(nats.url, b"ada\n", "--format", "text")
        markdown = compare(nats.url, b"ada\n", "--format", "markdown")
    assert (text.status, markdown.status) == (1, 1)
    lines = text.output.splitlines()
    assert "What differs and is not known:" in lines
    assert "  user_emails.read: value at data.primary_email, 1 times" in lines
    assert "What differs and is known (docs/operations/upgrade.md):" in lines
    assert "      known: `user_metadata.read` of a user with skills" in lines
    assert lines[-1] == "They differ."
    assert markdown.output.startswith("# They differ\n\n4 requests in ")
    assert "| user\\_emails.read | value | data.primary\\_email | 1 |  | a\\*\\*\\*\\* | " in markdown.output


async def test_a_narrow_terminal_shows_a_bar(nats, tmp_path):
    inputs = tmp_path / "inputs.txt"
    inputs.write_text("ada\n" * 5)
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 60, 0, 0))
    async with answering(nats.url, OLD), answering(nats.url, NEW):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", "compare", "--inputs", str(inputs)),
            *("--old-prefix", OLD, "--new-prefix", NEW, "--rate", "20"),
            stdout=asyncio.subprocess.PIPE,
            stderr=follower,
            env={**os.environ, "NATS_URL": nats.url, "TERM": "xterm"},
        )
        os.close(follower)
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    seen = os.read(leader, 65536).decode()
    os.close(leader)
    assert "asked" in seen
    assert "━" in seen
    assert (b"\x1b" in output, process.returncode) == (False, 0)


def test_inputs_of_any_kind_are_asked_or_left_out(nats):
    chance = random.Random(7)
    lines = [chance.randbytes(chance.randrange(1, 60)).replace(b"\n", b"") for _ in range(40)]
    lines += [b"\0", b"\xff\xfe@\xff", b"{}", b'"', b"a\x1b[2J@b", b"x" * 200_000, b"y" * 65_536, b"|", b"@"]
    with beside(nats.url):
        done = compare(nats.url, b"\r\n".join(lines))
    assert (done.status, done.report["left_out"], done.errors) == (0, 2, "")
    assert done.report["asked"] > 60


HOSTILE = {
    "deep": b"{" + b'"a":[' * 200_000,
    "deep and whole": b'{"success":true,"data":' + b"[" * 1_500 + b"]" * 1_500 + b"}",
    "many": b'{"success":true,"data":[' + b"1," * 300_000 + b"1]}",
    "endless number": b'{"success":true,"data":' + b"9" * 500_000 + b"}",
    "no number": b'{"success":true,"data":NaN}',
    "half a character": b'{"success":true,"data":"\\ud800"}',
    "terminal": b'{"success":false,"error":"\\u001b[2J\\u0007 gone"}',
    "long": b"x" * 1_000_000,
    "names": b'{"success":true,"data":{"ada@example.org":1,"\\u001b[2J":2}}',
    "no envelope": b"{}",
}


def test_replies_of_any_kind_are_told_and_rule_no_terminal(nats):
    replies = list(HOSTILE.values())

    async def reply(client, message):
        await client.publish(message.reply, replies[int(re.search(rb"user(\d+)", message.data)[1])])

    lines = "".join(f"user{number}\n" for number in range(len(replies))).encode()
    with beside(nats.url, new={"user_emails.read": reply}):
        done = compare(nats.url, lines, "--format", "text", "--show")
    assert (done.status, done.errors) == (1, "")
    (row,) = [line.split() for line in done.output.splitlines() if line.startswith("user_emails.read ")]
    assert row[1:6] == [str(len(replies)), "0", "0", "0", str(len(replies))]
    assert "\x1b" not in done.output
    assert "\x07" not in done.output
    assert len(done.output) < 10_000


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=list(HOSTILE))
def test_the_same_hostile_reply_from_both_is_no_difference(reply):
    assert differences(Answer(reply, 0.1), Answer(bytes(reply), 0.1)) == []


def test_what_is_no_reply_in_the_contract_is_told_as_what_it_is():
    assert understood(b"ada") == Text("ada")
    assert understood(b'{"success":true}') == Object({"success": True})
    assert understood(b"{") == Opaque("no JSON")
    assert understood(b"\xff") == Opaque("no UTF-8")
    assert understood(b"x" * (1024 * 1024 + 1)) == Opaque("too long to read")


def test_a_line_is_asked_as_what_it_is():
    def reads(line):
        return [request.read for request in requests_for(line)]

    assert reads(b" ada@example.org \r\n") == [Read.EMAIL_TO_USERNAME, Read.EMAIL_TO_SUB]
    assert reads(b"ada\n") == [Read.USERNAME_TO_SUB, *JSON_READS]
    assert reads(b"auth0|ada") == reads(b"google-oauth2|1@2") == JSON_READS
    assert reads(b"eyJhbGciOiJSUzI1NiJ9.e30.x") == reads(b"authelia_at_x") == reads(b"Bearer x") == JSON_READS
    assert list(requests_for(b'a"b\n'))[2] == Request(Read.EMAILS, b'{"user": {"auth_token": "a\\"b"}}')


def test_an_hour_of_differences_takes_bounded_memory():
    """A service that says something else each time is the worst there is."""
    tally = Tally(Mask())
    texts = (f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}" * 50 for n in range(1_000))
    tracemalloc.start()
    for text in texts:
        request = Request(Read.METADATA, b"ada")
        tally.answered(request, Answer(b"", 0.001 * len(text)), Answer(b"", 0.002))
        tally.judged(request, [Difference(Kind.ERROR, "", text, "user not found")])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(tally.classes), tally.more_classes) == (300, 700)
    assert tally.subjects[Read.METADATA].differ == 1_000
    assert most < 3 * 1024 * 1024


def test_latencies_are_told_to_within_5_per_cent():
    latencies = Latencies()
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.quantile(0.5) == pytest.approx(0.5, rel=0.05)
    assert latencies.quantile(0.99) == pytest.approx(0.99, rel=0.05)
    assert Latencies().quantile(0.5) is None


async def test_a_service_that_does_not_answer_is_told_within_its_time(nats):
    """Sixty-four requests wait at once, and no more."""
    async with answering(nats.url, OLD), answering(nats.url, NEW, {"username_to_sub": None}) as new:
        process = await start(nats.url, "--inputs", "-", "--timeout", "500ms")
        ended = asyncio.create_task(end(process, b"ada\n" * 100))
        await until(lambda: len(new.received) >= 150)  # the first 64 were not answered, and others wait
        used = memory(process.pid, "VmHWM")
        done = await ended
    (one,) = done.report["differences"]
    assert (one["kind"], one["count"], one["example"]["new"]) == ("no answer", 100, "no reply in time")
    assert len([subject for subject, _ in new.received if subject == "username_to_sub"]) == 200
    assert used < 400
