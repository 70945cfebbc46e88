# SPDX-License-Identifier: MIT
"""deploy/compose.yaml is what the Compose specification allows, and holds what is tried with it."""

from __future__ import annotations

import subprocess

import yaml

from tests.image.dockerfile import ROOT

COMPOSE = ROOT / "deploy/compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_is_valid() -> None:
    checker = ROOT / "build/tools/bin/check-jsonschema"
    command = [checker, "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_starts_nats_a_mailbox_and_the_service() -> None:
    assert set(SERVICES) == {"nats", "mailpit", "auth-service"}


def test_nothing_is_open_to_other_machines() -> None:
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", []))


def test_the_service_is_built_from_this_checkout() -> None:
    build = SERVICES["auth-service"]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == ROOT / "deploy/Dockerfile"


def test_the_service_can_write_to_tmp_alone_and_has_time_to_drain() -> None:
    service = SERVICES["auth-service"]
    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert service["stop_grace_period"] == "35s"
