# SPDX-License-Identifier: MIT
"""A bare tenant, one that `apply` has made (once; every test gets it as new), and the command in this process."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli.tenant import run
from app.cli.tenant.run import Options
from tests.stand_ins.auth0 import auth0_tenant

API = "https://lfx-api.example/"


@dataclass
class Done:
    """What a run of the command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def done(self):
        """The steps that were made, joined where they are folded."""
        text = self.out.replace("\n", " ")
        return [part.partition("  ")[0].strip() for part in text.split("done  ")[1:]]

    def row(self, what):
        return next(row for row in self.json["requirements"] if row["what"] == what)


class Command:
    """`auth-service tenant` on a tenant, in this process."""

    def __init__(self, tenant, capsys, monkeypatch):
        self.tenant = tenant
        self._capsys = capsys
        self.set = monkeypatch.setenv
        self.unset = lambda name: monkeypatch.delenv(name, raising=False)
        for name, value in {"AUTH0_DOMAIN": tenant.domain, "SSL_CERT_FILE": tenant.ca_file}.items():
            self.set(name, value)
        self.set("AUTH0_LFX_V2_API_AUDIENCE", API)
        self.set("AUTH0_ADMIN_TOKEN", tenant.admin_token())

    def __call__(self, name, *, form="", show=False, **options):
        self._capsys.readouterr()
        given = Options(**options)
        status = run.env(given, form or "env", secrets=show) if name == "env" else getattr(run, name)(given)
        captured = self._capsys.readouterr()
        return Done(status, captured.out, captured.err)

    def check(self):
        return self("check", as_json=True)

    def plan(self, **options):
        """The steps that `apply` would make."""
        return [step["what"] for step in self("plan", as_json=True, **options).json["steps"]]


@pytest.fixture(scope="session")
def running():
    with auth0_tenant() as server:
        yield server


def restored(tenant, snapshot):
    for name, store in tenant.resources.snapshot().items():
        store.clear()
        store.update(copy.deepcopy(snapshot[name]))


@pytest.fixture(scope="session")
def made(running, tmp_path_factory):
    """What stands in a tenant that `apply` has made, and the private key."""
    running.reset(bare=True)
    key = tmp_path_factory.mktemp("key") / "m2m.pem"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTH0_DOMAIN", running.tenant.domain)
        patch.setenv("SSL_CERT_FILE", running.tenant.ca_file)
        patch.setenv("AUTH0_LFX_V2_API_AUDIENCE", API)
        patch.setenv("AUTH0_ADMIN_TOKEN", running.tenant.admin_token())
        assert run.apply(Options(yes=True, new_key=key)) == 0
    return copy.deepcopy(running.tenant.resources.snapshot()), Path(key).read_text()


@pytest.fixture
def bare(running, capsys, monkeypatch):
    """The command on a tenant with nothing in it."""
    running.reset(bare=True)
    return Command(running.tenant, capsys, monkeypatch)


@pytest.fixture
def command(running, made, capsys, monkeypatch):
    """The command on a tenant that it has made."""
    running.reset(bare=True)
    snapshot, key = made
    restored(running.tenant, snapshot)
    running.tenant.resources.serve_at(running.tenant.tokens.management_audience)
    monkeypatch.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", key)
    return Command(running.tenant, capsys, monkeypatch)
