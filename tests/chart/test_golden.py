# SPDX-License-Identifier: MIT
"""What the chart renders for every values file, to the letter, and that Kubernetes would take it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chart.helm import CHART, HERE, TOOLS, VALUES, objects, render, run

# The oldest release that Kubernetes maintained when this was written, and the newest whose schemas are at hand.
KUBERNETES = ("1.34.0", "1.37.0")
KINDS = (
    "configmap-v1",
    "deployment-apps-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1",
    "role-rbac-v1",
    "rolebinding-rbac-v1",
    "service-v1",
    "serviceaccount-v1",
)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Kubernetes' own schemas, with references that hold in a folder, and those of the custom resources."""
    (packaged,) = (TOOLS / "lib").glob("python*/site-packages/kubernetes_validate/kubernetes-json-schema")
    folder = tmp_path_factory.mktemp("schemas")
    for version in KUBERNETES:
        (folder / version).mkdir()
        for kind in (*KINDS, "_definitions"):
            text = (packaged / f"v{version}-local-strict" / f"{kind}.json").read_text()
            schema = json.loads(text.replace("/api/_definitions.json", "_definitions.json"))
            del schema["$id"]  # an address on the internet
            (folder / version / f"{kind}.json").write_text(json.dumps(schema))
    own = HERE / "schemas/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    return [str(folder / "{{slice .NormalizedKubernetesVersion 1}}/{{.ResourceKind}}{{.KindSuffix}}.json"), str(own)]


def conform(schemas: list[str], version: str, text: str) -> tuple[int, dict]:
    """Return kubeconform's exit status and report."""
    locations = [part for schema in schemas for part in ("-schema-location", schema)]
    done = run(
        "kubeconform", "-strict", "-summary", "-output", "json", "-kubernetes-version", version, *locations, stdin=text
    )
    return done.returncode, json.loads(done.stdout)


def tidy(text: str) -> str:
    """Return the documents without empty ones."""
    parts = [part.strip() for part in re.split(r"(?m)^---$", text)]
    full = [part for part in parts if any(line and not line.startswith("#") for line in part.splitlines())]
    return "".join(f"---\n{part}\n" for part in full)


@pytest.fixture(params=VALUES, ids=lambda path: path.stem)
def values(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_it_renders_what_the_golden_file_holds(values: Path, request: pytest.FixtureRequest) -> None:
    shown = tidy(render(values))
    golden = HERE / "golden" / values.name
    if request.config.getoption("--write"):
        golden.write_text(shown)
    assert shown == golden.read_text()


def test_every_golden_file_has_its_values() -> None:
    assert [path.name for path in sorted((HERE / "golden").iterdir())] == [path.name for path in VALUES]


def test_helm_finds_no_fault(values: Path) -> None:
    done = run("helm", "lint", "--strict", "--values", str(values), str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_would_take_it(values: Path, version: str, schemas: list[str]) -> None:
    text = render(values)
    status, report = conform(schemas, version, text)
    assert (status, report["resources"]) == (0, [])
    assert report["summary"] == {"valid": len(objects(text)), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("terminationGracePeriodSeconds:", "terminationGraceSeconds:"), ("history: 5", "history: five")],
)
def test_kubernetes_would_not_take_a_mistake(version: str, right: str, wrong: str, schemas: list[str]) -> None:
    text = render(HERE / "values/authelia-minimal.yaml")
    status, report = conform(schemas, version, text.replace(right, wrong))
    assert status == 1
    assert [resource["status"] for resource in report["resources"]] == ["statusInvalid"]
