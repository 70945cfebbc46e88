# SPDX-License-Identifier: MIT
"""`auth-service dev --provider auth0 --bare`, and the commands of `docs/providers/auth0.md` from there to a service."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shlex
import signal
import socket
import subprocess

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.dev.auth0 import standing_tenant
from app.cli.dev.nats_server import free_port, nats_server, on_usual_port
from app.cli.dev.stand_in import Wishes
from tests.docs.blocks import TOP, blocks
from tests.docs.places import nothing
from tests.support.command import COMMAND, PATIENCE, started

ME = "tests/system/test_dev_bare.py"
LAST_LINE = "Ctrl-C ends all of it"
BARE = ("dev", "--provider", "auth0", "--bare")
SHOWN = [block for block in blocks(TOP / "docs" / "providers" / "auth0.md") if block.value == ME]


def exported(output):
    """The variables that it printed, as a shell takes them."""
    lines = re.findall(r"^  export (\w+=.+)$", output, re.MULTILINE)
    return dict(shlex.split(line)[0].split("=", 1) for line in lines if "$" not in line)


def made(block, place):
    """What a block put out; fails when its exit status is not 0."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        capture_output=True,
        cwd=place.folder,
        env=place.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{block.where}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    return done.stdout.decode()


def test_the_page_leads_from_a_bare_tenant_to_a_service_that_answers(tmp_path):
    start, check, apply, serve, ask = SHOWN
    assert shlex.split(start.text)[-1] == f"ARGS={' '.join(BARE[1:])}"
    with started(*BARE, cwd=tmp_path) as running:
        running.until(LAST_LINE)
        for line in ("tenant check", "tenant apply --generate-key m2m-private.pem", "serve"):
            assert re.search(rf"^  \S+ {line}$", running.output, re.MULTILINE)
        with nothing(tmp_path) as place:
            place.environment |= {**exported(running.output), "PORT": str(free_port()), "BIND": "127.0.0.1"}
            assert "missing" in made(check, place)
            made(apply, place)
            assert (tmp_path / "auth0.env").stat().st_mode & 0o077 == 0
            place.run(dataclasses.replace(serve, key="until", value='"ready"'))
            answers = made(ask, place)
        assert re.search(" [0-9]{6}$", running.until("The tenant's mail to grace@new.example: the code is "))
        assert len(running.children()) == 2
        assert running.end() == 0
    subject, _, rest = answers.partition("\n")
    sent, end = json.JSONDecoder().raw_decode(rest)
    assert (subject, sent["success"]) == ("auth0|ada", True)
    assert json.loads(rest[end:])["data"]["access_token"].count(".") == 2


def test_from_a_script_and_with_nohup_it_ends_with_sigterm_alone(tmp_path):
    background = ["/bin/sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", *COMMAND, *BARE]
    with subprocess.Popen(background, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert any(LAST_LINE in line for line in process.stdout)
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_another_port_is_taken_where_somebody_takes_the_usual_one_just_now(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        module = importlib.import_module("app.cli.dev.nats_server")
        monkeypatch.setattr(module, "free_port", lambda preferred=0: taken if preferred else free_port())
        with (
            on_usual_port(4222, nats_server) as server,
            on_usual_port(8443, lambda port: standing_tenant(Wishes(), bare=True, port=port)) as tenant,
        ):
            assert taken not in {server.port, int(tenant.environment["AUTH0_DOMAIN"].rpartition(":")[2])}


def test_it_goes_with_auth0_only():
    done = CliRunner().invoke(app, ["dev", "--bare"])
    assert (done.exit_code, "--provider auth0" in done.stderr) == (2, True)
