# SPDX-License-Identifier: MIT
"""What is rendered for Authelia, and for no other provider."""

from __future__ import annotations

import pytest

from tests.chart.helm import NAME, ChartError, environment, objects, render, rendered

AUTHELIA = "app.environment.USER_REPOSITORY_TYPE.value=authelia"


@pytest.mark.parametrize("provider", ["mock", "auth0"])
def test_the_others_have_no_account_role_or_bucket(provider: str) -> None:
    shown = rendered(f"app.environment.USER_REPOSITORY_TYPE.value={provider}")
    assert set(shown) == {("Deployment", NAME), ("Service", NAME)}
    assert "serviceAccountName" not in shown["Deployment", NAME]["spec"]["template"]["spec"]


def test_the_buckets_are_those_of_the_provider() -> None:
    buckets = {name: manifest for (kind, name), manifest in rendered(AUTHELIA).items() if kind == "KeyValue"}
    kept = {"helm.sh/resource-policy": "keep"}
    assert all(bucket["metadata"]["annotations"] == kept for bucket in buckets.values())
    assert {name: bucket["spec"] for name, bucket in buckets.items()} == {
        "authelia-users": {
            "bucket": "authelia-users",
            "history": 5,
            "storage": "file",
            "maxValueSize": 1048576,
            "maxBytes": 10485760,
            "compression": True,
        },
        "authelia-email-otp": {
            "bucket": "authelia-email-otp",
            "history": 1,
            "storage": "file",
            "maxValueSize": 1024,
            "maxBytes": 524288,
            "compression": True,
            "ttl": "5m",
        },
        "authelia-otp-ledger": {
            "bucket": "authelia-otp-ledger",
            "history": 1,
            "storage": "file",
            "maxValueSize": 8192,
            "maxBytes": 10485760,
            "compression": True,
            "ttl": "24h",
        },
        "authelia-claims": {
            "bucket": "authelia-claims",
            "history": 1,
            "storage": "file",
            "maxValueSize": 8192,
            "maxBytes": 10485760,
            "compression": True,
            "ttl": "24h",
        },
        "authelia-signing-key": {
            "bucket": "authelia-signing-key",
            "history": 1,
            "storage": "file",
            "maxValueSize": 16384,
            "maxBytes": 65536,
            "compression": False,
        },
    }


def test_the_role_allows_three_verbs_on_three_objects() -> None:
    assert rendered(AUTHELIA)["Role", NAME]["rules"] == [
        {
            "apiGroups": [group],
            "resources": [resource],
            "resourceNames": [name],
            "verbs": ["get", "update", "patch"],
        }
        for group, resource, name in (
            ("", "configmaps", "authelia-users"),
            ("", "secrets", "authelia-users"),
            ("apps", "daemonsets", "lfx-platform-authelia"),
        )
    ]


def test_the_role_stands_where_the_objects_are_and_the_account_where_the_service_is() -> None:
    shown = objects(render(None, AUTHELIA, namespace="identity"))
    assert shown["Role", NAME]["metadata"]["namespace"] == "lfx"
    assert shown["RoleBinding", NAME]["metadata"]["namespace"] == "lfx"
    assert shown["ServiceAccount", NAME]["metadata"]["namespace"] == "identity"
    assert shown["RoleBinding", NAME]["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "identity"}]


def test_an_account_of_another_name_can_be_used() -> None:
    shown = rendered(AUTHELIA, "serviceAccount.create=false", "serviceAccount.name=shared")
    assert "ServiceAccount" not in {kind for kind, _ in shown}
    assert shown["Deployment", NAME]["spec"]["template"]["spec"]["serviceAccountName"] == "shared"
    assert shown["RoleBinding", NAME]["subjects"][0]["name"] == "shared"


@pytest.mark.parametrize("bucket", ["users", "email_otp", "otp_ledger", "claims", "signing_key"])
def test_a_bucket_can_be_left_to_others(bucket: str) -> None:
    shown = rendered(AUTHELIA, f"nats.authelia_{bucket}_kv_bucket.creation=false")
    assert ("KeyValue", f"authelia-{bucket.replace('_', '-')}") not in shown
    assert sum(kind == "KeyValue" for kind, _ in shown) == 4


def test_buckets_have_as_many_replicas_as_the_service_gives_them() -> None:
    shown = rendered(AUTHELIA, "app.environment.AUTHELIA_KV_REPLICAS.value=3")
    assert {item["spec"]["replicas"] for (kind, _), item in shown.items() if kind == "KeyValue"} == {3}


def test_a_name_in_the_role_must_be_known() -> None:
    with pytest.raises(ChartError) as refusal:
        rendered(
            AUTHELIA,
            "app.environment.AUTHELIA_SECRET_NAME.value=null",
            "app.environment.AUTHELIA_SECRET_NAME.valueFrom.configMapKeyRef.name=names",
            "app.environment.AUTHELIA_SECRET_NAME.valueFrom.configMapKeyRef.key=secret",
        )
    assert "app.environment.AUTHELIA_SECRET_NAME: must be a plain value, because the Role names it" in str(
        refusal.value
    )


def test_the_names_of_the_buckets_reach_the_service() -> None:
    shown = rendered(
        AUTHELIA,
        "nats.authelia_users_kv_bucket.name=people",
        "nats.authelia_claims_kv_bucket.creation=false",
        "nats.authelia_claims_kv_bucket.name=kept",
        "app.environment.AUTHELIA_EMAIL_OTP_KV_BUCKET.value=codes",
    )
    assert shown["KeyValue", "people"]["spec"]["bucket"] == "people"
    names = {name: value for name, value in environment(shown).items() if name.endswith("_KV_BUCKET")}
    assert names == {
        "AUTHELIA_USERS_KV_BUCKET": "people",
        "AUTHELIA_EMAIL_OTP_KV_BUCKET": "codes",
        "AUTHELIA_OTP_LEDGER_KV_BUCKET": "authelia-otp-ledger",
        "AUTHELIA_CLAIMS_KV_BUCKET": "kept",
        "AUTHELIA_SIGNING_KEY_KV_BUCKET": "authelia-signing-key",
    }
