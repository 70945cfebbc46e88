# SPDX-License-Identifier: MIT
"""The commands and rights of docs/operations/upgrade.md and docs/security/nats.md that compare, as they stand there."""

from __future__ import annotations

import asyncio
import os
import signal

import nkeys
import pytest

from app.main import running
from app.settings import HttpSettings, NatsSettings, Settings
from tests.docs.blocks import blocks
from tests.docs.tables import TOP
from tests.support.command import COMMAND, PATIENCE
from tests.support.ports import nats_server
from tests.support.raw_client import connect

UPGRADE = TOP / "docs/operations/upgrade.md"
RIGHTS = TOP / "docs/security/nats.md"
NEXT = "lfx.auth-service-next."


def run_here(page):
    return [block for block in blocks(page) if block.value == "tests/cli/compare/test_page.py"]


async def paste(command, folder, url, enough=None, **variables):
    """Run a command of the page in a shell, and press Ctrl-C when it is enough; give its status and words."""
    script = f'auth-service() {{ {COMMAND[0]} -m app.cli "$@"; }}\n{command}'
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TOP), "NATS_URL": url, "COLUMNS": "200", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(PATIENCE):
        if enough is not None:
            await enough.wait()
            os.killpg(process.pid, signal.SIGINT)
        output, errors = await process.communicate()
    return process.returncode, output, errors


@pytest.fixture
def limited(tmp_path):
    """A nats-server on which one user may do what the page says, and another one everything."""
    pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    (block,) = run_here(RIGHTS)
    users = f"{{ nkey: {pair.public_key.decode()}, permissions: $MAY_COMPARE }}, {{ user: all, password: all }}"
    configuration = tmp_path / "nats.conf"
    configuration.write_text(f"{block.text}\nauthorization {{ users: [{users}] }}\n")
    with nats_server(0, "-c", str(configuration)) as server:
        yield server.url, pair.seed.decode()


async def test_both_commands_compare_with_no_more_than_the_rights_of_the_page(limited, tmp_path):
    url, seed = limited
    by_traffic, by_inputs = (block.text for block in run_here(UPGRADE))
    (people,) = [block.text for block in blocks(UPGRADE) if block.value == "inputs.txt"]
    (tmp_path / "inputs.txt").write_text(people)
    usual = {"servers": (url,), "user": "all", "password": "all"}
    http = HttpSettings(port=0, bind="127.0.0.1")
    old = Settings(http, NatsSettings(**usual))
    new = Settings(http, NatsSettings(**usual, subject_prefix=NEXT, queue_group=f"{NEXT}queue"))
    async with running(old) as first, running(new) as second:
        await first.broker.start()
        await second.broker.start()
        status, output, errors = await paste(by_inputs, tmp_path, url, NATS_NKEY_SEED=seed)
        assert (status, errors) == (0, b""), output
        assert b"Both say the same." in output
        async with await connect(url, user="all", password="all") as client:
            asked = asyncio.Event()

            async def hear(_):
                asked.set()

            await client.subscribe(f"{NEXT}email_to_sub", cb=hear)
            calling = asyncio.create_task(_call(client))
            done = await paste(by_traffic, tmp_path, url, asked, NATS_NKEY_SEED=seed)
            calling.cancel()
    assert done == (0, b"", b"")
    assert (tmp_path / "report.md").read_text().startswith("# Both say the same")


async def _call(client):
    while True:
        await client.request("lfx.auth-service.email_to_sub", b"ada@example.org", timeout=60)
        await asyncio.sleep(0.1)
