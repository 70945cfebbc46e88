# SPDX-License-Identifier: MIT
"""What must hold of everything that the chart renders, whatever the values."""

from __future__ import annotations

import pytest

from tests.chart.helm import NAME, VALUES, container, objects, render


@pytest.fixture(scope="module", params=VALUES, ids=lambda path: path.stem)
def shown(request: pytest.FixtureRequest) -> dict[tuple[str, str], dict]:
    return objects(render(request.param))


@pytest.fixture
def pod(shown: dict[tuple[str, str], dict]) -> dict:
    return shown["Deployment", NAME]["spec"]["template"]["spec"]


def test_it_does_not_run_as_root(pod: dict) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532


def test_system_calls_are_filtered(pod: dict) -> None:
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_nothing_of_the_image_can_be_written_and_no_privilege_is_left(shown: dict) -> None:
    assert container(shown)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_nothing_of_the_host_is_shared(pod: dict) -> None:
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
    assert all("hostPath" not in volume for volume in pod["volumes"])


def test_what_can_be_written_is_bounded(pod: dict) -> None:
    (tmp,) = (volume for volume in pod["volumes"] if "emptyDir" in volume)
    assert tmp == {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}


def test_processor_and_memory_are_limited(shown: dict) -> None:
    resources = container(shown)["resources"]
    assert set(resources["limits"]) == set(resources["requests"]) == {"cpu", "memory"}


def test_no_right_is_a_wildcard_or_without_a_name(shown: dict) -> None:
    for (kind, _), manifest in shown.items():
        assert kind not in ("ClusterRole", "ClusterRoleBinding")
        for rule in manifest.get("rules", []) if kind == "Role" else []:
            assert len(rule["resourceNames"]) == len(rule["resources"]) == len(rule["apiGroups"]) == 1
            assert rule["verbs"] == ["get", "update", "patch"]
            assert "*" not in (*rule["resources"], *rule["resourceNames"], *rule["apiGroups"])


def test_the_token_of_kubernetes_is_mounted_for_authelia_alone(shown: dict, pod: dict) -> None:
    assert pod["automountServiceAccountToken"] is (("Role", NAME) in shown)


def test_the_drain_of_25_seconds_fits_into_the_grace_period(pod: dict) -> None:
    assert pod["terminationGracePeriodSeconds"] > 25


def test_the_selector_is_that_of_the_chart_before(shown: dict) -> None:
    assert shown["Deployment", NAME]["spec"]["selector"] == {"matchLabels": {"app": "lfx-v2-auth-service"}}


def test_no_secret_stands_in_the_chart(shown: dict) -> None:
    assert "Secret" not in {kind for kind, _ in shown}


def test_the_probes_ask_what_they_should(shown: dict) -> None:
    probes = {name: container(shown)[name] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert {
        name: (probe["httpGet"]["path"], probe["periodSeconds"], probe["failureThreshold"])
        for name, probe in probes.items()
    } == {"livenessProbe": ("/livez", 15, 3), "readinessProbe": ("/readyz", 10, 1), "startupProbe": ("/livez", 1, 30)}
