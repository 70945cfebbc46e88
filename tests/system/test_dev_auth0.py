# SPDX-License-Identifier: MIT
"""`auth-service dev --provider auth0`: production's provider on a tenant of its own."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.support.command import COMMAND, PATIENCE, alive, pasted, run, started
from tests.support.waiting import until

LAST_LINE = "Ctrl-C ends all of it"
PROVIDER = ("--provider", "auth0")


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    elsewhere = {
        "AUTH0_DOMAIN": "nowhere.invalid",
        "AUTH0_TENANT": "nowhere",
        "AUTH0_ORGANIZATION": "org_nowhere",
        "AUTH0_MANAGEMENT_AUDIENCE": "https://nowhere.invalid/api/v2/",
    }
    with started("dev", *PROVIDER, cwd=tmp_path_factory.mktemp("dev"), **elsewhere) as process:
        process.until(LAST_LINE)
        yield process


def place(output, name):
    (address,) = re.findall(rf"^{name} +(http\S+)$", output, re.MULTILINE)
    return address


def fetched(address):
    with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
        return reply.read()


def answered(address):
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def pasted_for(dev, subject):
    return next(line for line in pasted(dev.output) if f" {subject} " in line)


def answer(line):
    done = subprocess.run(line, shell=True, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, b""), line
    return json.loads(done.stdout) if done.stdout.startswith(b"{") else done.stdout.decode().strip()


async def test_the_provider_is_the_real_one_and_ready(dev):
    health = place(dev.output, "Health")
    await until(lambda: answered(health) == 200)
    assert b"auth0 token" in fetched(health)


def test_what_the_environment_says_of_another_tenant_does_not_count(dev):
    assert place(dev.output, "Tenant").startswith("https://localhost:")
    assert answer(pasted_for(dev, "email_to_sub")) == "auth0|ada"


def test_every_printed_request_works_as_it_stands_with_the_code_of_the_mail(dev):
    lines = pasted(dev.output)
    assert [shlex.split(line)[4] for line in lines] == [
        "email_to_sub",
        "user_emails.read",
        "user_metadata.read",
        "user_metadata.update",
        "email_linking.send_verification",
        "email_linking.verify",
        "user_identity.link",
        "impersonation.token_exchange",
    ]
    replies = {}
    for line in lines:
        subject = shlex.split(line)[4]
        if subject == "email_linking.verify":
            shown = dev.until("The tenant's mail to grace@new.example: the code is ")
            (code,) = re.findall(r"[0-9]{6}", shown)
            assert [mail["code"] for mail in json.loads(fetched(place(dev.output, "Its mails")))] == [code]
            replies[subject] = answer(line.replace("CODE", code))
        else:
            replies[subject] = answer(line)
    assert replies["user_metadata.update"]["data"]["city"] == "Oslo"
    assert all(reply == "auth0|ada" or reply["success"] for reply in replies.values())


def test_the_tokens_of_the_users_that_are_shown_work(dev):
    assert "linus_t" in dev.output
    body = json.dumps({"token": "@linus_t", "user_metadata": {"city": "Bergen"}})
    command = pasted_for(dev, "user_metadata.update").partition(" user_metadata.update ")[0]
    assert answer(f"{command} user_metadata.update {shlex.quote(body)}")["data"]["city"] == "Bergen"


def test_no_token_is_printed(dev):
    assert "eyJ" not in dev.output


def test_who_only_claims_to_be_somebody_is_refused(dev):
    (_, _, _, url, *_) = shlex.split(pasted_for(dev, "email_to_sub"))
    body = '{"token": "auth0|ada", "user_metadata": {"city": "Rome"}}'
    done = run("request", "--nats-url", url, "user_metadata.update", body)
    assert done.returncode == 1
    assert b"invalid token" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_is_clean_and_leaves_nothing_running(tmp_path, number):
    folder = tmp_path / "temporary"
    folder.mkdir()
    with started("dev", *PROVIDER, cwd=tmp_path, TMPDIR=str(folder)) as process:
        process.until(LAST_LINE)
        children = process.children()
        assert len(children) == 2
        assert process.end(number) == 0
        assert [pid for pid in children if alive(pid)] == []
        assert list(folder.iterdir()) == []


def test_the_tenant_takes_as_many_calls_as_it_is_told(tmp_path):
    limited = (*PROVIDER, "--rate-limit", "0.001")
    with started("dev", *limited, cwd=tmp_path, REQUEST_TIMEOUT="1s", READ_STALE_FOR="0") as process:
        process.until(LAST_LINE)
        line = pasted_for(process, "email_to_sub")
        assert answer(line) == "auth0|ada"
        refused = subprocess.run(line, shell=True, capture_output=True, timeout=PATIENCE, check=False)
        assert b"identity provider rate limit reached, try again later" in refused.stdout


def test_without_the_tests_it_says_what_to_do(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()  # somebody else's, found before the project's
    # A process that is forked would have the project's loaded.
    line = [*COMMAND, "dev", *PROVIDER]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert b"belongs to the tests" in done.stderr
    assert b"make install" in done.stderr
    assert b"Traceback" not in done.stderr
