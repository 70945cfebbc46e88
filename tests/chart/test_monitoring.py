# SPDX-License-Identifier: MIT
"""What Prometheus and Grafana are given, when they are wanted."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.chart.helm import CHART, NAME, VALUES, objects, render, rendered
from tests.chart.test_golden import KUBERNETES, conform, schemas

__all__ = ["schemas"]

WANTED = ("serviceMonitor.enabled=true", "prometheusRule.enabled=true", "grafanaDashboard.enabled=true")


def test_the_metrics_are_scraped_from_the_service() -> None:
    shown = rendered(WANTED[0], "serviceMonitor.labels.release=prometheus")
    monitor = shown["ServiceMonitor", NAME]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"] == {
        "selector": {"matchLabels": {"app": "lfx-v2-auth-service"}},
        "endpoints": [{"port": "web", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s"}],
    }
    assert shown["Service", NAME]["metadata"]["labels"]["app"] == "lfx-v2-auth-service"


def test_the_rules_are_those_of_the_file() -> None:
    spec = rendered(WANTED[1])["PrometheusRule", NAME]["spec"]
    assert spec == yaml.safe_load((CHART / "files/rules.yaml").read_text())


def test_the_dashboard_is_that_of_the_file() -> None:
    shown = rendered(WANTED[2])["ConfigMap", f"{NAME}-dashboard"]
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(shown["data"][f"{NAME}.json"]) == json.loads((CHART / "files/dashboard.json").read_text())


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_operators_would_take_them(version: str, schemas: list[str]) -> None:
    text = render(VALUES[0], *WANTED)
    assert conform(schemas, version, text)[1]["summary"]["valid"] == len(objects(text))
