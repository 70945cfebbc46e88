# SPDX-License-Identifier: MIT
"""Dashboard, rules, runbooks and the page of metrics name only what running services show."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nats as client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.cli.dev.nats_server import NatsServer
from providers.auth0.tenant.errors import Outcome
from tests.stand_ins.auth0 import auth0_tenant
from tests.support.ports import nats_server
from tests.system.processes import process

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
FILES = TOP / "deploy" / "helm" / "lfx-v2-auth-service" / "files"
OPERATIONS = TOP / "docs" / "operations"
RULES = yaml.safe_load((FILES / "rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

PREFIX = "lfx.auth-service."
SCRAPED = {"namespace", "pod", "job"}
"""Labels that Prometheus puts on what it scrapes."""

METRIC = re.compile(r"\b((?:auth_service|process|python)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(?:=~|!=|!~|=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")
OUTCOMES_OF_CALLS = {str(outcome) for outcome in Outcome} | {"cancelled"}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, with where it stands."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


EXPRESSIONS = list(expressions())


async def ask_twice(url: str, subject: str, body: bytes) -> None:
    """Send two equal requests at once."""
    async with await client.connect(url) as connection:
        await asyncio.gather(*(connection.request(PREFIX + subject, body, timeout=60) for _ in range(2)))


def shown(url: str, folder: Path, subject: str, body: bytes, **variables: str) -> dict[str, dict[str, set[str]]]:
    """Return the labels and their values of every sample that a service shows after two requests at once."""
    with process(url, folder, **variables) as service:
        service.until_ready()
        asyncio.run(ask_twice(url, subject, body))
        status, text = service.get("/metrics")
        assert status == 200
        assert service.end() == 0
    samples: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = samples.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return samples


@pytest.fixture(scope="module")
def metrics(nats: NatsServer, tmp_path_factory) -> dict[str, dict[str, set[str]]]:
    """Labels and their values of every sample, over all providers."""
    folder = tmp_path_factory.mktemp("services")
    found = shown(nats.url, folder, "username_to_sub", b"ada")
    with auth0_tenant() as server:
        server.tenant.offer_events()
        # Two who ask the same at once, a failure that is worth another attempt, and a field that is odd.
        server.tenant.faults.latency = 0.2
        server.tenant.faults.status(503, times=1)
        server.tenant.odd("ada", {"username": ["ada"]})
        found |= shown(nats.url, folder, "email_to_sub", b"ada@example.org", **server.tenant.environment())
    # Kubernetes is not there, which is shown and keeps nothing from starting.
    with nats_server() as server:
        found |= shown(server.url, folder, "email_to_sub", b"ada@example.org", USER_REPOSITORY_TYPE="authelia") | found
    found["auth_service_upstream_calls_total"]["outcome"] |= OUTCOMES_OF_CALLS
    return found


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_what_is_asked_for_is_shown(where, expression, metrics):
    named = METRIC.findall(expression)
    assert named, where
    for metric, matchers in named:
        assert metric in metrics, f"{where}: {metric}"
        for label, values in MATCHER.findall(matchers):
            if label not in SCRAPED and not values.startswith("$"):
                assert set(values.split("|")) <= metrics[metric].get(label, set()), f"{where}: {label} of {metric}"
    groups = {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",")}
    known = SCRAPED.union(*(metrics[metric] for metric, _ in named))
    assert groups <= known, where


def test_every_metric_of_the_service_is_documented_and_no_other(metrics):
    page = (OPERATIONS / "telemetry.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(auth_service_\w+)`", page, re.MULTILINE))
    names = {name for name in metrics if name.startswith("auth_service_") and not name.endswith("_created")}
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    assert documented == shown


def test_the_labels_of_every_metric_are_documented(metrics):
    page = (OPERATIONS / "telemetry.md").read_text(encoding="utf-8")
    for name, labels in re.findall(r"^\| `(auth_service_\w+)` \| ([^|]*) \|", page, re.MULTILINE):
        sample = name if name in metrics else f"{name}_bucket"
        assert set(re.findall(r"`(\w+)`", labels)) == metrics[sample].keys() - {"le"}, name


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_alert_leads_to_its_runbook(rule):
    runbooks = (OPERATIONS / "runbooks.md").read_text(encoding="utf-8")
    assert f"\n## {rule['alert']}\n" in runbooks
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/operations/runbooks.md#{rule['alert'].lower()}")
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_runbook_has_its_alert():
    runbooks = (OPERATIONS / "runbooks.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (AuthService\w+)$", runbooks, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_every_alert_is_tried_out():
    tried = yaml.safe_load((TOP / "tests" / "operations" / "rules.test.yaml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def test_the_panels_do_not_overlap_and_are_told_apart():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
