# SPDX-License-Identifier: MIT
"""Where the commands of a page are run: a folder, and what answers there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nats as nats_py

from tests.docs.blocks import CLONE, fits
from tests.docs.parser.__main__ import find
from tests.docs.tables import TOP
from tests.support.command import started
from tests.support.ports import free_port, nats_server

PATIENCE = 300
LOOKED_AT = """\
# A page's `make` is looked at and not run: what it does is tested elsewhere, and takes longer.
make() { command make --dry-run --directory="$TOP" "$@" >/dev/null; }
# The module is got from this checkout, which has what is not released yet.
go() {
    local module=github.com/linuxfoundation/lfx-v2-auth-service/clients/go
    [[ $1 == get && $2 == "$module@"* ]] || { command go "$@"; return; }
    command go mod edit -require "$module@v0.0.0" -replace "$module=$TOP/clients/go"
}
# What would be installed in a cluster is rendered, the values checked against their schema.
helm() {
    [[ $1 == upgrade || $1 == template ]] || return
    shift && [[ $1 != --install ]] || shift
    command helm template "$@" >/dev/null
}
"""
FOREIGN = ("NATS_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "ARGS")
"""What the terminal in which the tests were started would tell the commands of a page."""
TOOLS = os.pathsep.join(str(TOP / "build" / folder) for folder in ("nats", "tools/go", "tools/bin"))


class Place:
    """A folder in which commands are run by bash."""

    def __init__(self, folder, stack, prelude=LOOKED_AT, addresses=None, log=None):
        self.folder, self.prelude, self.addresses, self.log = folder, prelude, addresses or {}, log
        self.here, self._stack = folder, stack
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            "PATH": os.pathsep.join([str(folder / ".venv" / "bin"), TOOLS, os.environ["PATH"]]),
            "TOP": str(TOP),
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def keep(self, name, text):
        """Keep a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.translated(text), encoding="utf-8")

    def translated(self, text):
        """The text with the addresses of this run in the place of the usual ones."""
        for usual, own in self.addresses.items():
            text = text.replace(usual, own)
        return text

    def run(self, block):
        """Run a block where the page has got to; fails when it ends or puts out something else than the page says."""
        if block.key == "until":
            self._leave_running(block)
            return
        if block.key == "log":
            pattern, _, variable = block.value.rpartition(" as ")
            self.environment[variable] = re.search(pattern, self.log.until(re.compile(pattern)))[1]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.prelude + self.translated(block.text)],
            capture_output=True,
            cwd=self.here,
            env=self.environment,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == block.status, f"{block.where}: exit status {done.returncode}\n{out}\n{err}"
        if block.output is not None:
            assert fits(self.translated(block.output), out), f"{block.where}: put out\n{out}\n{err}"

    def moved(self, block):
        """Go where the block went, as its terminal would and one that is opened beside it is told to."""
        for folder in re.findall(r"^cd (\S+)$", block.text, re.MULTILINE):
            self.here /= folder

    def learn(self, said):
        """Take over the addresses that `make run` printed."""
        if found := re.search(r"^NATS +(\S+)\nDocumentation +http://(\S+)/docs$", said, re.MULTILINE):
            url, web = found.groups()
            self.addresses |= dict.fromkeys(("nats://127.0.0.1:4222", "nats://localhost:4222"), url)
            self.addresses |= dict.fromkeys(("127.0.0.1:8080", "localhost:8080"), web)
            self.environment["NATS_URL"] = url

    def _leave_running(self, block):
        popen = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", self.prelude + self.translated(block.text)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.here,
            env=self.environment,
            start_new_session=True,
        )
        self._stack.enter_context(popen)
        said = []
        for line in popen.stdout:
            said.append(line.decode())
            if block.value in said[-1]:
                reader = threading.Thread(target=popen.stdout.read)
                reader.start()
                self._stack.callback(reader.join)
                self._stack.callback(_end, popen)
                self.learn("".join(said))
                return
        _end(popen)
        raise AssertionError(f"{block.where}: ended before it said {block.value!r}\n{''.join(said)}")


def _end(popen):
    """Do what Ctrl-C in its terminal does, and see that it ends."""
    os.killpg(popen.pid, signal.SIGINT)
    try:
        popen.wait(20)
    except subprocess.TimeoutExpired:
        # Whoever runs the tests in the background may have had SIGINT ignored, and some programs inherit that.
        os.killpg(popen.pid, signal.SIGTERM)
        popen.wait(10)


def _command(folder):
    """Put the command of this checkout where a checkout has it, and Node where there is only the one of PyPI."""
    scripts = {
        "auth-service": f"PYTHONPATH={TOP} exec {sys.executable} -m app.cli",
        "python": f"exec {sys.executable}",
        "pip": f"exec {sys.executable} -m pip",
    }
    if node := find():
        scripts |= {name: f"exec {shlex.join(command)}" for name, command in zip(("node", "npm"), node, strict=True)}
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in scripts.items():
        script = programs / name
        script.write_text(f'#!/bin/sh\n{command} "$@"\n')
        script.chmod(0o755)


@contextmanager
def nothing(folder):
    """A checkout's command, and nobody who answers it."""
    _command(folder)
    with ExitStack() as stack:
        yield Place(folder, stack)


@contextmanager
def nats(folder):
    """A nats-server with JetStream."""
    _command(folder)
    with ExitStack() as stack:
        url = stack.enter_context(nats_server()).url
        port = str(free_port())
        addresses = dict.fromkeys(("nats://127.0.0.1:4222", "nats://localhost:4222"), url)
        place = Place(folder, stack, addresses={**addresses, "127.0.0.1:8080": f"127.0.0.1:{port}"})
        place.environment |= {"NATS_URL": url, "PORT": port, "BIND": "127.0.0.1"}
        (folder / "deploy").symlink_to(TOP / "deploy")
        yield place


@contextmanager
def storage(folder):
    """A nats-server with the buckets that the provider Authelia keeps, and two users in them."""
    with nats(folder) as place:
        asyncio.run(_buckets(place.environment["NATS_URL"]))
        yield place


async def _buckets(url):
    client = await nats_py.connect(url)
    stream = client.jetstream(timeout=30)
    users = await stream.create_key_value(bucket="authelia-users", history=5)
    for name in ("ada", "grace.hopper"):
        digest = hashlib.sha256(f"{name}@example.org".encode()).hexdigest()
        await users.put(name, f'{{"username": "{name}"}}'.encode())
        await users.put(name, f'{{"username": "{name}", "email": "{name}@example.org"}}'.encode())
        await users.put(f"lookup/authelia-users/email/{digest}", name.encode())
    key = await stream.create_key_value(bucket="authelia-signing-key")
    await key.put("key", b"-----BEGIN PRIVATE KEY-----")
    await client.close()


@contextmanager
def service(folder):
    """What `make run` starts: a nats-server, the service on the mock provider and its documentation."""
    _command(folder)
    with ExitStack() as stack:
        process = stack.enter_context(started("dev", cwd=folder))
        process.until("Ctrl-C ends all of it")
        place = Place(folder, stack, log=process)
        (folder / "clients").symlink_to(TOP / "clients")
        place.learn(process.output)
        yield place


@contextmanager
def clone(folder):
    """Nothing at all; the page's own `git clone` gets what is committed here, and `make` is make."""
    with ExitStack() as stack:
        place = Place(folder, stack, prelude="")
        place.environment["PATH"] = os.environ["PATH"].replace(f"{Path(sys.executable).parent}{os.pathsep}", "")
        del place.environment["PIP_NO_INDEX"]
        place.environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{TOP}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/linuxfoundation/lfx-v2-auth-service.git",
        }
        yield place


WORLDS = {"nothing": nothing, "nats": nats, "storage": storage, "service": service, CLONE: clone}


def follow(page_blocks, place):
    """Do what a page says, block by block."""
    for block in page_blocks:
        if block.key == "file":
            place.keep(block.value, block.text)
        elif block.is_run:
            place.run(block)
            place.moved(block)
