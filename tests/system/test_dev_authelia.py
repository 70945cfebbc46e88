# SPDX-License-Identifier: MIT
"""`auth-service dev --provider authelia`: the six commands of the guide, from the code to the users file."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.command import PATIENCE, alive, pasted, run, started
from tests.support.waiting import until

LAST_LINE = "Ctrl-C ends all of it"
PROVIDER = ("--provider", "authelia")
GUIDE = Path(__file__).parents[2] / "docs" / "providers" / "authelia.md"


ELSEWHERE = {
    "AUTHELIA_OIDC_USERINFO_URL": "https://nowhere.invalid",
    "AUTHELIA_CONFIGMAP_NAME": "nowhere",
    "AUTHELIA_KV_REPLICAS": "3",
    "EMAIL_SMTP_HOST": "nowhere.invalid",
    "EMAIL_SMTP_USERNAME": "nobody",
    "EMAIL_SMTP_PASSWORD": "none",
}
GIVEN = {"AUTHELIA_TRUST_UNVERIFIED_IDENTITY_TOKENS": "true", "EMAIL_FROM_NAME": "Platform of ours"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    with started("dev", *PROVIDER, cwd=tmp_path_factory.mktemp("dev"), **ELSEWHERE, **GIVEN) as process:
        process.until(LAST_LINE)
        yield process


def _page(dev, name) -> str:
    (address,) = re.findall(rf"^{name} +(http\S+)$", dev.output, re.MULTILINE)
    with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
        return reply.read().decode()


def _arguments(line):
    words = shlex.split(line)
    return words[words.index("request") :]


def test_no_aliases_are_offered_where_there_are_none(dev):
    assert "\nUsers:\n" in dev.output
    *to_service, _, _ = _arguments(pasted(dev.output)[0])
    assert b"alias_service_unavailable" in run(*to_service, "add_alias", "{}").stdout


async def test_the_whole_way_from_the_code_to_the_users_file(dev):
    emails, send, verify, link, set_primary = (_arguments(line) for line in pasted(dev.output))
    assert b"ada@example.org" in run(*emails).stdout
    assert run(*send).returncode == 0
    code = re.findall(r"^ +(\d{6})\s*$", _page(dev, "Mails"), re.MULTILINE)[-1]
    verified = run(*[word.replace("CODE", code) for word in verify])
    assert verified.returncode == 0
    token = re.search(rb'"token": "([^"]+)"', verified.stdout)[1].decode()
    assert run(*[word.replace("IDENTITY-TOKEN", token) for word in link]).returncode == 0
    assert run(*set_primary).returncode == 0
    await until(lambda: "email: ada@new.example" in _page(dev, "Users file"))
    assert _page(dev, "Users file").startswith("---\n# Authelia's users.")


def test_what_is_given_counts_but_for_where_things_are(dev):
    assert "AUTHELIA_TRUST_UNVERIFIED_IDENTITY_TOKENS" in dev.output
    assert run(*_arguments(pasted(dev.output)[1])[:4], "linus@new.example").returncode == 0
    assert "Platform of ours" in _page(dev, "Mails")


def test_the_guide_lists_six_commands_which_are_those(dev):
    guide = GUIDE.read_text(encoding="utf-8")
    section = guide[guide.index("## Try it on a laptop") : guide.index("## Find a value in storage")]
    commands = re.findall(r"^(?:\.venv/bin/auth-service|curl|make) .*$", section, re.MULTILINE)
    assert len(commands) == 6
    asked = [_arguments(line)[3:] for line in pasted(dev.output)[1:]]
    written = [_arguments(line)[1:] for line in commands if " request " in line]
    assert written == asked


def test_the_end_is_clean_and_leaves_nothing_running(tmp_path):
    with started("dev", *PROVIDER, cwd=tmp_path) as process:
        process.until(LAST_LINE)
        children = process.children()
        assert len(children) == 2
        assert process.end(signal.SIGINT) == 0
        assert [pid for pid in children if alive(pid)] == []
        assert subprocess.run(["pgrep", "-P", str(process.popen.pid)], check=False).returncode == 1
