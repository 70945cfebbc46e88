# SPDX-License-Identifier: MIT
"""What single values do, and what the chart says to those that it refuses."""

from __future__ import annotations

import pytest

from app.settings import SECTIONS
from tests.chart.helm import NAME, ChartError, container, environment, rendered
from tests.docs.tables import secrecy


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("replicaCont=2", "additional properties 'replicaCont' not allowed"),
        ("app.environment.AUTH0_TENNANT.value=x", "additional properties 'AUTH0_TENNANT' not allowed"),
        ("app.environment.AUTH0_TENANT.vlaue=x", "additional properties 'vlaue' not allowed"),
        ("app.otel.tracesExporters=otlp", "additional properties 'tracesExporters' not allowed"),
        ("app.environment.USER_REPOSITORY_TYPE.value=auth1", "value must be one of 'mock', 'auth0', 'authelia'"),
        ("image.pullPolicy=always", "value must be one of 'Always', 'IfNotPresent', 'Never'"),
        ("service.port=0", "at '/service/port': minimum: got 0, want 1"),
        ("replicaCount=three", "at '/replicaCount': 'three' does not match pattern"),
        ("terminationGracePeriodSeconds=20", "at '/terminationGracePeriodSeconds': minimum: got 20, want 26"),
        ("nats.authelia_users_kv_bucket.storage=disk", "value must be one of 'file', 'memory'"),
        ("app.existingSecret.keys.AUTH0_TENANT=x", "additional properties 'AUTH0_TENANT' not allowed"),
    ],
)
def test_a_mistake_is_refused_with_its_place(setting: str, message: str) -> None:
    with pytest.raises(ChartError) as refusal:
        rendered(setting)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((), "podDisruptionBudget: set exactly one of minAvailable and maxUnavailable when it is enabled"),
        (
            ("podDisruptionBudget.minAvailable=1", "podDisruptionBudget.maxUnavailable=1"),
            "podDisruptionBudget: set exactly one of minAvailable and maxUnavailable, not both",
        ),
    ],
)
def test_a_disruption_budget_is_one_of_two(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ChartError) as refusal:
        rendered("podDisruptionBudget.enabled=true", *settings)
    assert message in str(refusal.value)


def test_a_disruption_budget_may_be_zero() -> None:
    shown = rendered("podDisruptionBudget.enabled=true", "podDisruptionBudget.maxUnavailable=0")
    assert shown["PodDisruptionBudget", NAME]["spec"] == {
        "maxUnavailable": 0,
        "selector": {"matchLabels": {"app": "lfx-v2-auth-service"}},
    }


def test_by_default_there_is_a_deployment_and_a_service_alone() -> None:
    assert set(rendered()) == {("Deployment", NAME), ("Service", NAME)}


def test_the_defaults_are_those_of_the_chart_before() -> None:
    shown = rendered()
    assert shown["Deployment", NAME]["spec"]["replicas"] == 3
    assert container(shown)["image"] == "ghcr.io/linuxfoundation/lfx-v2-auth-service/server:latest"
    assert container(shown)["resources"] == {
        "limits": {"cpu": "500m", "memory": "512Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }
    assert environment(shown) == {
        "AUTHELIA_CONFIGMAP_NAME": "authelia-users",
        "AUTHELIA_CONFIGMAP_NAMESPACE": "lfx",
        "AUTHELIA_DAEMONSET_NAME": "lfx-platform-authelia",
        "AUTHELIA_OIDC_USERINFO_URL": "https://auth.k8s.orb.local/api/oidc/userinfo",
        "AUTHELIA_SECRET_NAME": "authelia-users",
        "USER_REPOSITORY_TYPE": "mock",
        "NATS_URL": "nats://lfx-platform-nats.lfx.svc.cluster.local:4222",
        "PORT": "8080",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_INSECURE": "false",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PROPAGATORS": "tracecontext,baggage,jaeger",
    }


def test_a_null_value_is_left_out() -> None:
    assert "AUTHELIA_OIDC_USERINFO_URL" not in environment(
        rendered("app.environment.AUTHELIA_OIDC_USERINFO_URL.value=null")
    )


def test_a_false_value_is_not_left_out() -> None:
    assert environment(rendered("app.environment.LOG_ADD_SOURCE.value=false"))["LOG_ADD_SOURCE"] == "false"


def test_a_reference_stands_as_it_was_given() -> None:
    shown = rendered(
        "app.environment.NATS_URL.valueFrom.secretKeyRef.name=nats",
        "app.environment.NATS_URL.valueFrom.secretKeyRef.key=url",
    )
    assert environment(shown)["NATS_URL"] == {"secretKeyRef": {"name": "nats", "key": "url"}}


def test_an_entry_of_extra_env_replaces_one_that_follows_from_another_value() -> None:
    shown = rendered("app.extraEnv[0].name=NATS_URL", "app.extraEnv[0].value=nats://here:4222")
    assert environment(shown)["NATS_URL"] == "nats://here:4222"


@pytest.mark.parametrize(
    "before",
    [
        ("app.environment.LOG_LEVEL.value=info",),
        (
            "app.environment.LOG_LEVEL.valueFrom.configMapKeyRef.name=logs",
            "app.environment.LOG_LEVEL.valueFrom.configMapKeyRef.key=level",
        ),
    ],
    ids=["a value", "a reference"],
)
def test_an_entry_of_extra_env_replaces_one_of_app_environment(before: tuple[str, ...]) -> None:
    shown = rendered(*before, "app.extraEnv[0].name=LOG_LEVEL", "app.extraEnv[0].value=debug")
    assert [entry for entry in container(shown)["env"] if entry["name"] == "LOG_LEVEL"] == [
        {"name": "LOG_LEVEL", "value": "debug"}
    ]


def test_an_entry_of_extra_env_replaces_one_of_app_otel() -> None:
    shown = rendered("app.extraEnv[0].name=OTEL_PROPAGATORS", "app.extraEnv[0].value=tracecontext")
    assert environment(shown)["OTEL_PROPAGATORS"] == "tracecontext"


def extra(**variables: str) -> tuple[str, ...]:
    """The settings that put these variables into app.extraEnv."""
    entries = enumerate(variables.items())
    return tuple(
        f"app.extraEnv[{n}].{text}" for n, (name, value) in entries for text in (f"name={name}", f"value={value}")
    )


def test_the_container_has_the_port_of_extra_env() -> None:
    shown = rendered("app.environment.PORT.value=9000", *extra(PORT="9090"))
    assert environment(shown)["PORT"] == "9090"
    assert container(shown)["ports"] == [{"name": "web", "containerPort": 9090}]


def test_all_that_authelia_needs_follows_extra_env() -> None:
    named = extra(
        USER_REPOSITORY_TYPE="Authelia",
        AUTHELIA_CONFIGMAP_NAMESPACE="auth",
        AUTHELIA_CONFIGMAP_NAME="users",
        AUTHELIA_SECRET_NAME="passwords",
        AUTHELIA_DAEMONSET_NAME="proxy",
        AUTHELIA_KV_REPLICAS="3",
    )
    shown = rendered(*named)
    assert shown["Deployment", NAME]["spec"]["template"]["spec"]["serviceAccountName"] == NAME
    assert shown["Role", NAME]["metadata"]["namespace"] == "auth"
    assert [rule["resourceNames"] for rule in shown["Role", NAME]["rules"]] == [["users"], ["passwords"], ["proxy"]]
    assert shown["KeyValue", "authelia-users"]["spec"]["replicas"] == 3


def test_extra_env_may_choose_a_provider_that_needs_less() -> None:
    assert set(rendered(*extra(USER_REPOSITORY_TYPE="mock"), values="authelia-full")) & {("Role", NAME)} == set()


REFERENCE = ("app.extraEnv[0].valueFrom.configMapKeyRef.name=a", "app.extraEnv[0].valueFrom.configMapKeyRef.key=b")


@pytest.mark.parametrize("given", [REFERENCE, ("app.extraEnv[0].value=$(OTHER)",)], ids=["a reference", "a name"])
@pytest.mark.parametrize(
    "name",
    [
        "USER_REPOSITORY_TYPE",
        "PORT",
        "AUTHELIA_CONFIGMAP_NAME",
        "AUTHELIA_CONFIGMAP_NAMESPACE",
        "AUTHELIA_SECRET_NAME",
        "AUTHELIA_DAEMONSET_NAME",
    ],
)
def test_what_other_objects_depend_on_must_be_plain_in_extra_env_too(name: str, given: tuple[str, ...]) -> None:
    with pytest.raises(ChartError, match=rf"app\.extraEnv: {name}: must be a plain value"):
        rendered("app.environment.USER_REPOSITORY_TYPE.value=authelia", f"app.extraEnv[0].name={name}", *given)


def test_extra_env_stands_before_what_may_name_it() -> None:
    shown = rendered("app.extraEnv[0].name=NODE", "app.extraEnv[0].value=n", "app.otel.endpoint=$(NODE):4317")
    names = [entry["name"] for entry in container(shown)["env"]]
    assert names.index("NODE") < names.index("OTEL_EXPORTER_OTLP_ENDPOINT")


def test_sensitive_variables_come_from_one_secret() -> None:
    shown = rendered(
        "app.existingSecret.name=auth",
        "app.existingSecret.keys.NATS_TOKEN=token",
        "app.environment.NATS_PASSWORD.value=x",
    )
    assert {name: value for name, value in environment(shown).items() if isinstance(value, dict)} == {
        name: {"secretKeyRef": {"name": "auth", "key": key, "optional": True}}
        for name, key in {
            "AUTH0_LFX_PROFILE_CLIENT_SECRET": "AUTH0_LFX_PROFILE_CLIENT_SECRET",
            "AUTH0_M2M_PRIVATE_BASE64_KEY": "AUTH0_M2M_PRIVATE_BASE64_KEY",
            "AUTHELIA_SIGNING_KEY": "AUTHELIA_SIGNING_KEY",
            "EMAIL_SMTP_PASSWORD": "EMAIL_SMTP_PASSWORD",
            "NATS_NKEY_SEED": "NATS_NKEY_SEED",
            "NATS_TOKEN": "token",
            "OTEL_EXPORTER_OTLP_HEADERS": "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        }.items()
    }


def test_the_secret_has_every_setting_that_is_marked_secret_and_no_other() -> None:
    fields = [field for section in SECTIONS for field in section.model_fields.values()]
    shown = environment(rendered("app.existingSecret.name=auth"))
    of_the_secret = {name for name, value in shown.items() if isinstance(value, dict)}
    assert of_the_secret == {field.validation_alias for field in fields if secrecy(field)}


def test_the_service_listens_where_the_container_says() -> None:
    shown = rendered("service.port=9000")
    assert environment(shown)["PORT"] == "9000"
    assert container(shown)["ports"] == [{"name": "web", "containerPort": 9000}]
    assert shown["Service", NAME]["spec"]["ports"] == [{"name": "web", "port": 9000, "targetPort": "web"}]


def test_a_parent_chart_may_switch_it_and_hand_down_globals() -> None:
    assert rendered("enabled=true", "global.region=eu") == rendered()


def test_contextualizer_has_no_effect() -> None:
    assert rendered("app.use_oidc_contextualizer=false") == rendered()
