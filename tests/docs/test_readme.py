"""The commands of README.md do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from app.cli import subject_names
from tests.docs.tables import TOP
from tests.support.command import run, started

README = (TOP / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = BLOCK.findall(README)
COMMAND = ".venv/bin/auth-service "
LINES = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]


def shown_after(line):
    """The output that the page shows for a command: the next block, when it is no command."""
    following = next(i for i, (_, text) in enumerate(BLOCKS) if text == line + "\n") + 1
    language, text = BLOCKS[following]
    return None if language == "sh" else text


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory):
    with started("dev", cwd=tmp_path_factory.mktemp("readme")) as process:
        line = process.until(" request --nats-url ")
        yield shlex.split(line)[3]


def test_there_are_commands_of_both_kinds():
    assert [line for line in LINES if line.startswith("make ")] == ["make run", "make test"]
    assert sum(line.startswith(COMMAND) for line in LINES) == 3
    assert len(LINES) == 5


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(COMMAND)])
def test_a_command_works_and_shows_what_the_page_shows(nats_url, line):
    done = run(*shlex.split(line.removeprefix(COMMAND)), NATS_URL=nats_url)
    assert done.returncode == 0, done.stderr.decode()
    if (shown := shown_after(line)) is not None:
        assert done.stdout.decode() == shown


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_a_make_command_has_a_recipe(line):
    done = subprocess.run([*shlex.split(line), "--dry-run"], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert {"make run": "auth-service dev", "make test": "-m pytest"}[line] in done.stdout


def test_the_list_of_subjects_has_all_sixteen():
    listed = re.findall(r"^\| `([a-z_.0-9]+)` \|", README, re.MULTILINE)
    assert listed == subject_names()
    assert len(listed) == 16


def test_a_failure_ends_with_1_as_the_page_says(nats_url):
    done = run("request", "email_to_sub", "nobody@example.org", NATS_URL=nats_url)
    assert "a failure ends with exit status 1" in " ".join(README.split())
    assert done.returncode == 1


def test_the_settings_shown_have_the_defaults_of_the_whole_list():
    whole = (TOP / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name, default in re.findall(r"^\| `([A-Z0-9_]+)` \| (\S*) ?\|", README, re.MULTILINE):
        if name != "REQUEST_TIMEOUT":  # shown with what NATS_TIMEOUT makes of it
            assert re.search(rf"^\| `{name}` \| {re.escape(default)} ?\|", whole, re.MULTILINE), name
