# SPDX-License-Identifier: MIT
"""Values as people's pipelines give them: numbers and booleans where texts belong, and the other way round."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.chart.helm import CHART, NAME, ChartError, container, environment, objects, run

SCHEMA = json.loads((CHART / "values.schema.json").read_text())

ALL_ON = {
    "app": {"environment": {"USER_REPOSITORY_TYPE": {"value": "authelia"}}},
    "autoscaling": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "grafanaDashboard": {"enabled": True},
}
ODD = {
    "prometheus.io/port": 8080,
    "canary": False,
    "build": 20240101,
    "large": 123456789012,
    "ratio": 1.5,
    "zero": 0,
    "text": "0x1F",
    "yes": "yes",
    "lines": "a\nb\n",
}
"""What stands in a map of texts."""

TEXTS = {
    "prometheus.io/port": "8080",
    "canary": "false",
    "build": "20240101",
    "large": "123456789012",
    "ratio": "1.5",
    "zero": "0",
    "text": "0x1F",
    "yes": "yes",
    "lines": "a\nb\n",
}


def helm(values: dict, *options: str) -> str:
    done = run(
        "helm",
        "template",
        "auth",
        str(CHART),
        "--namespace",
        "lfx",
        "--values",
        "-",
        *options,
        stdin=yaml.safe_dump(values),
    )
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout


def merged(*layers: dict) -> dict:
    result: dict = {}
    for layer in layers:
        for name, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(name), dict)
            result[name] = merged(result[name], value) if both else value
    return result


def below(path: str, value: object) -> dict:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def metadata(kind: str, name: str, field: str):
    return lambda shown: shown[kind, name]["metadata"][field]


def template(*path: str):
    def found(shown):
        node = shown["Deployment", NAME]["spec"]["template"]
        for part in path:
            node = node[part]
        return node

    return found


MAPS = {
    "podAnnotations": template("metadata", "annotations"),
    "podLabels": template("metadata", "labels"),
    "nodeSelector": template("spec", "nodeSelector"),
    "serviceAccount.annotations": metadata("ServiceAccount", NAME, "annotations"),
    "serviceMonitor.labels": metadata("ServiceMonitor", NAME, "labels"),
    "prometheusRule.labels": metadata("PrometheusRule", NAME, "labels"),
    "grafanaDashboard.labels": metadata("ConfigMap", f"{NAME}-dashboard", "labels"),
    "grafanaDashboard.annotations": metadata("ConfigMap", f"{NAME}-dashboard", "annotations"),
}


def maps_of_texts(node: dict, path: str = "") -> set[str]:
    found = {path} if node.get("$ref") == "#/$defs/labels" else set()
    for name, inner in node.get("properties", {}).items():
        found |= maps_of_texts(inner, f"{path}.{name}".lstrip("."))
    return found


def test_every_map_of_texts_of_the_schema_is_among_these() -> None:
    assert maps_of_texts(SCHEMA) == set(MAPS)


@pytest.mark.parametrize("path", MAPS)
def test_a_map_of_texts_holds_texts_alone(path: str) -> None:
    held = MAPS[path](objects(helm(merged(ALL_ON, below(path, ODD)))))
    assert {name: held[name] for name in ODD} == TEXTS


def test_a_null_in_a_map_of_texts_is_left_out() -> None:
    shown = objects(helm({"podAnnotations": {"a": None, "b": "x"}}))
    assert MAPS["podAnnotations"](shown) == {"b": "x"}


PARTS = {
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": True, "tolerationSeconds": "300"}],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": "1",
                    "preference": {"matchExpressions": [{"key": "gen", "operator": "In", "values": [3, True]}]},
                }
            ]
        }
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": "1",
            "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": NAME, "canary": False}},
        }
    ],
    "imagePullSecrets": [{"name": 4711}],
    "extraVolumes": [
        {"name": "csi", "csi": {"driver": "d.example", "readOnly": "true", "volumeAttributes": {"size": 5}}},
        {"name": "kept", "configMap": {"name": 7, "defaultMode": "420", "optional": False}},
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": "3600"}}]}},
    ],
    "extraVolumeMounts": [{"name": "csi", "mountPath": "/csi", "readOnly": "true"}],
}


def test_parts_of_manifests_have_the_types_that_kubernetes_takes() -> None:
    pod = template("spec")(objects(helm(PARTS)))
    assert pod["tolerations"] == [{"key": "dedicated", "operator": "Equal", "value": "true", "tolerationSeconds": 300}]
    (preferred,) = pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["weight"] == 1
    assert preferred["preference"]["matchExpressions"] == [{"key": "gen", "operator": "In", "values": ["3", "true"]}]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["labelSelector"]["matchLabels"]["canary"]) == (1, "false")
    assert pod["imagePullSecrets"] == [{"name": "4711"}]
    assert pod["volumes"][-3:] == [
        {"name": "csi", "csi": {"driver": "d.example", "readOnly": True, "volumeAttributes": {"size": "5"}}},
        {"name": "kept", "configMap": {"name": "7", "defaultMode": 420, "optional": False}},
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}},
    ]
    assert pod["containers"][0]["volumeMounts"][-1] == {"name": "csi", "mountPath": "/csi", "readOnly": True}


def test_peers_of_the_network_policy_are_selected_by_texts() -> None:
    peer = {"podSelector": {"matchLabels": {"tier": 1}}}
    values = {
        "networkPolicy": {
            "enabled": "true",
            "ingressFrom": [peer],
            "ports": {"nats": ["4223"]},
            "extraEgress": [{"to": [peer], "ports": [{"port": "5432", "protocol": "TCP"}, {"port": "web"}]}],
        }
    }
    spec = objects(helm(values))["NetworkPolicy", NAME]["spec"]
    selected = {"podSelector": {"matchLabels": {"tier": "1"}}}
    assert spec["ingress"][0]["from"] == [selected]
    assert spec["egress"][-1] == {"to": [selected], "ports": [{"port": 5432, "protocol": "TCP"}, {"port": "web"}]}
    assert {"ports": [{"protocol": "TCP", "port": 4223}]} in spec["egress"]


def test_a_network_policy_without_ports_opens_none() -> None:
    peer = {"to": [{"podSelector": {}}]}
    values = {"networkPolicy": {"enabled": True, "ports": None, "extraEgress": [peer]}}
    assert objects(helm(values))["NetworkPolicy", NAME]["spec"]["egress"] == [peer]


NUMBERS = {
    "replicaCount": ("5", lambda shown: shown["Deployment", NAME]["spec"]["replicas"]),
    "service.port": ("9090", lambda shown: shown["Service", NAME]["spec"]["ports"][0]["port"]),
    "terminationGracePeriodSeconds": ("40", template("spec", "terminationGracePeriodSeconds")),
    "podDisruptionBudget.minAvailable": ("2", lambda shown: shown["PodDisruptionBudget", NAME]["spec"]["minAvailable"]),
    "autoscaling.minReplicas": ("2", lambda shown: shown["HorizontalPodAutoscaler", NAME]["spec"]["minReplicas"]),
    "autoscaling.maxReplicas": ("9", lambda shown: shown["HorizontalPodAutoscaler", NAME]["spec"]["maxReplicas"]),
    "nats.authelia_users_kv_bucket.history": (
        "7",
        lambda shown: shown["KeyValue", "authelia-users"]["spec"]["history"],
    ),
    "nats.authelia_users_kv_bucket.maxBytes": (
        "20971520",
        lambda shown: shown["KeyValue", "authelia-users"]["spec"]["maxBytes"],
    ),
    "nats.authelia_users_kv_bucket.maxValueSize": (
        "2097152",
        lambda shown: shown["KeyValue", "authelia-users"]["spec"]["maxValueSize"],
    ),
}


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_may_be_given_as_a_text(path: str) -> None:
    text, found = NUMBERS[path]
    values = merged(ALL_ON, {"autoscaling": {"enabled": path.startswith("autoscaling")}})
    shown = objects(helm(values, "--set-string", f"{path}={text}"))
    assert found(shown) == int(text)
    assert shown == objects(helm(values, "--set", f"{path}={text}"))


def test_the_port_of_the_container_follows_a_text_too() -> None:
    shown = objects(helm({}, "--set-string", "service.port=9090"))
    assert container(shown)["ports"] == [{"name": "web", "containerPort": 9090}]
    assert environment(shown)["PORT"] == "9090"


@pytest.mark.parametrize(
    "setting",
    [
        "replicaCount=-1",
        "replicaCount=3x",
        "service.port=0",
        "service.port=65536",
        "service.port=99999",
        "terminationGracePeriodSeconds=25",
        "nats.authelia_users_kv_bucket.history=65",
        "autoscaling.minReplicas=0",
        "podDisruptionBudget.enabled=maybe",
    ],
)
def test_what_cannot_be_meant_is_refused_as_a_text_too(setting: str) -> None:
    with pytest.raises(ChartError, match=setting.partition("=")[0].rpartition(".")[2]):
        helm({}, "--set-string", setting)


def switches(node: dict, path: str = "") -> set[str]:
    found = {path} if node.get("$ref") == "#/$defs/yes" else set()
    inner = node.get("properties", {})
    if node.get("$ref") == "#/$defs/bucket":
        inner = SCHEMA["$defs"]["bucket"]["properties"]
    for name, one in inner.items():
        found |= switches(one, f"{path}.{name}".lstrip("."))
    return found


@pytest.mark.parametrize("switch", sorted(switches(SCHEMA)))
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_switch_may_be_given_as_a_text(switch: str, value: str) -> None:
    as_text = helm(ALL_ON, "--set-string", f"{switch}={value}")
    assert as_text == helm(ALL_ON, "--set", f"{switch}={value}")


@pytest.mark.parametrize(
    ("tag", "shown"),
    [(1.2, "1.2"), (20240101, "20240101"), ("1.10", "1.10"), (7, "7"), ("", "latest"), (None, "latest")],
)
def test_a_tag_may_be_a_number(tag: object, shown: str) -> None:
    assert container(objects(helm({"image": {"tag": tag}})))["image"].rpartition(":")[2] == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(8080, "8080"), (True, "true"), (False, "false"), (30000000, "30000000"), (0, "0"), (1.5, "1.5"), ("007", "007")],
)
def test_a_variable_is_a_text(value: object, shown: str) -> None:
    extra = [{"name": "EXTRA", "value": value}]
    values = {"app": {"environment": {"AUTH0_TENANT": {"value": value}}, "extraEnv": extra}}
    seen = environment(objects(helm(values)))
    assert (seen["AUTH0_TENANT"], seen["EXTRA"]) == (shown, shown)


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy"]
)
def test_what_concerns_every_process_is_taken(name: str) -> None:
    shown = environment(objects(helm({"app": {"environment": {name: {"value": "/etc/x"}}}})))
    assert shown[name] == "/etc/x"
