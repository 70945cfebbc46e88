# SPDX-License-Identifier: MIT
"""A process loads what its provider needs, and no more."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import asyncio, sys
from app.main import running
from app.settings import Settings

async def main():
    async with running(Settings()):
        pass

asyncio.run(main())
print(*sorted({name.partition(".")[0] for name in sys.modules} | {name for name in sys.modules if "." in name}))
"""
# Not bcrypt: cryptography loads it where it is installed.
OTHERS = {"kr8s", "aiosmtplib", "httpx", "httpx_aiohttp", "grpc", "opentelemetry.sdk"}


def test_the_mock_provider_loads_nothing_of_the_others(monkeypatch):
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("BIND", "127.0.0.1")
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "providers.mock" in loaded
    assert loaded & OTHERS == set()
