# SPDX-License-Identifier: MIT
"""A process loads what its provider needs, and no more."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.stand_ins.auth0 import auth0_tenant

CODE = """
import asyncio, sys, threading
from app.main import running
from app.settings import Settings

async def main():
    async with running(Settings()):
        pass

asyncio.run(main())
for thread in threading.enumerate():  # the service does not wait for what still loads
    if thread.name == "auth0 library":
        thread.join()
print(*sorted({name.partition(".")[0] for name in sys.modules} | {name for name in sys.modules if "." in name}))
"""
# Not bcrypt: cryptography loads it where it is installed.
OTHERS = {"kr8s", "aiosmtplib", "httpx", "httpx_aiohttp", "grpc", "opentelemetry.sdk", "auth0"}


def test_the_mock_provider_loads_nothing_of_the_others(monkeypatch):
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("BIND", "127.0.0.1")
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "providers.mock" in loaded
    assert loaded & OTHERS == set()


def test_the_commands_load_the_tenants_library_for_the_tenant_alone():
    code = "import sys; import app.cli, app.main, providers.auth0; print('auth0' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "False\n"


def test_setting_up_a_tenant_loads_no_provider():
    code = "import sys; import app.cli.tenant.run; print('providers.auth0' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout == "False\n"


def test_the_tenants_library_is_loaded_only_where_its_events_are_followed(monkeypatch):
    with auth0_tenant() as server:
        for name, value in {**server.tenant.environment(), "PORT": "0", "BIND": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        for events, loaded in (("false", False), ("true", True)):
            monkeypatch.setenv("AUTH0_EVENTS", events)
            run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=True)
            modules = set(run.stdout.splitlines()[-1].split())
            assert ("auth0.management" in modules, "providers.auth0.events.stream" in modules) == (loaded, loaded)


def test_without_the_tenants_library_the_command_says_in_one_sentence_what_to_install(tmp_path):
    (tmp_path / "auth0.py").write_text("raise ModuleNotFoundError('No module named auth0', name='auth0')")
    run = subprocess.run(
        [sys.executable, "-m", "app.cli", "tenant", "check", "--domain", "localhost"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("Auth0's library is not installed")
    assert len(run.stderr.splitlines()) == 1
