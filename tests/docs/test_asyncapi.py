# SPDX-License-Identifier: MIT
"""The document: generated, complete, checked in, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from app.bus.replies import Done
from app.bus.subjects import Subject
from app.main import documents
from routers import subjects

ROOT = Path(__file__).parents[2]
NAMES = [
    "email_to_username",
    "email_to_sub",
    "username_to_sub",
    "user_metadata.read",
    "user_metadata.update",
    "user_emails.read",
    "user_emails.set_primary",
    "email_linking.send_verification",
    "email_linking.verify",
    "user_identity.list",
    "user_identity.link",
    "user_identity.unlink",
    "add_alias",
    "password.update",
    "password.reset_link",
    "impersonation.token_exchange",
]
ANY = ["service is overloaded, try again later", "request timed out", "internal error"]
AWAY = ["identity provider unavailable", "identity provider rate limit reached, try again later"]
BAD_TOKEN = ["invalid token", "token has expired", "invalid issuer", "invalid audience"]
NOT_READ = ["user not found", "failed to search user", *AWAY]
TOKEN = [*BAD_TOKEN, "missing required scope", *NOT_READ]
ERRORS = {
    "email_to_username": ["email is required", *NOT_READ],
    "email_to_sub": ["email is required", *NOT_READ],
    "username_to_sub": ["username is required", "identity provider unavailable"],
    "user_metadata.read": ["input is required", *BAD_TOKEN, *NOT_READ],
    "user_metadata.update": [
        "failed to unmarshal user data",
        "token is required",
        "user_metadata is required",
        *TOKEN,
        "failed to update user",
    ],
    "user_emails.read": [
        "failed_to_unmarshal_request",
        "auth_token is required",
        *BAD_TOKEN,
        *NOT_READ,
    ],
    "user_emails.set_primary": [
        "failed to unmarshal set primary email request",
        "auth_token is required",
        "email is required",
        "invalid email format",
        *TOKEN,
        "email is not a linked identity on this account",
        "email is not verified and cannot be set as primary",
        "failed to set primary email",
    ],
    "email_linking.send_verification": [
        "alternate email is required",
        "invalid email",
        "email already linked",
        "failed to search user",
        "too many attempts, try again later",
        "too many verification requests, try again later",
        *AWAY,
        "failed to start passwordless flow",
        "failed to send verification email",
    ],
    "email_linking.verify": [
        "failed to unmarshal email data",
        "invalid email",
        "email and OTP are required",
        "email already linked",
        "failed to search user",
        "too many attempts, try again later",
        "verification code not found or expired",
        "too many attempts, request a new code",
        "invalid verification code",
        *AWAY,
        "failed to exchange OTP for token",
    ],
    "user_identity.list": [
        "failed_to_unmarshal_request",
        "auth_token is required",
        *BAD_TOKEN,
        *NOT_READ,
    ],
    "user_identity.link": [
        "failed to unmarshal link identity request",
        "auth_token is required",
        "link_with identity token is required",
        "invalid identity token: unable to extract subject",
        "the provided identity token belongs to an existing LFID account and cannot be linked",
        *TOKEN,
        "invalid identity token",
        "identity already linked to another user",
        "failed to link identity to user",
    ],
    "user_identity.unlink": [
        "failed to unmarshal unlink identity request",
        "auth_token is required",
        *TOKEN,
        "provider is required",
        "identity_id is required",
        "system_managed_identity",
        "failed to evaluate system-managed unlink guard",
        "identity not found",
        "failed to unlink identity from user",
    ],
    "add_alias": [
        "alias_service_unavailable",
        "failed_to_unmarshal_request",
        "auth_token is required",
        "domain_not_allowed",
        *TOKEN,
        "already_claimed",
        "alias_invalid",
        "alias_reserved",
        "alias_not_available",
        "failed to link email identity",
    ],
    "password.update": [
        "password change is not supported for Authelia users",
        "failed to unmarshal change password request",
        "token is required",
        "current_password is required",
        "new_password is required",
        *TOKEN,
        "password change requires an Auth0 user with a username",
        "incorrect password: current password is incorrect",
        "too many attempts, try again later",
        "password does not meet the requirements",
        "failed to update password",
    ],
    "password.reset_link": [
        "password service unavailable",
        "password reset link is not supported for Authelia users",
        "failed to unmarshal reset password link request",
        "token is required",
        *TOKEN,
        "user does not have an email address",
        "failed to send password reset link",
    ],
    "impersonation.token_exchange": [
        "impersonation flow unavailable",
        "invalid request",
        "subject_token is required",
        "target_user is required",
        "audience not allowed",
        *BAD_TOKEN,
        "impersonation not allowed",
        "<error>: <error_description>",
        "user not found",
        *AWAY,
    ],
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return documents().document


def declared(name: str) -> Subject:
    return next(subject for subject in subjects() if subject.name == name)


def follow(document: dict[str, Any], pointer: dict[str, str]) -> Any:
    part: Any = document
    for step in pointer["$ref"].removeprefix("#/").split("/"):
        part = part[step]
    return follow(document, part) if "$ref" in part else part


def messages(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    operation = document["operations"][name]
    return [follow(document, pointer) for pointer in operation["messages"] + operation["reply"]["messages"]]


def complaints(document: dict[str, Any], message: dict[str, Any], payload: object) -> list[str]:
    schema = {**message["payload"], "components": document["components"]}
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(payload)]


def test_the_file_is_what_is_generated() -> None:
    assert (ROOT / "asyncapi.yaml").read_text(encoding="utf-8") == documents().yaml(), (
        "asyncapi.yaml is stale: make it anew with `auth-service asyncapi > asyncapi.yaml`"
    )


def test_yaml_and_json_say_the_same(document: dict[str, Any]) -> None:
    assert yaml.safe_load(documents().yaml()) == json.loads(documents().json()) == document


def test_it_is_asyncapi_3(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"


def test_the_subjects_stand_in_the_order_of_the_routers(document: dict[str, Any]) -> None:
    received = [name for name, operation in document["operations"].items() if operation["action"] == "receive"]
    assert received == NAMES == [subject.name for subject in subjects()]


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_has_its_address_and_queue_group(document: dict[str, Any], name: str) -> None:
    operation = document["operations"][name]
    assert follow(document, operation["channel"])["address"] == f"lfx.auth-service.{name}"
    assert operation["bindings"]["nats"]["queue"] == "lfx.auth-service.queue"


@pytest.mark.parametrize("name", NAMES)
def test_a_reply_goes_to_the_inbox_of_the_request(document: dict[str, Any], name: str) -> None:
    reply = document["operations"][name]["reply"]
    assert "address" not in follow(document, reply["channel"])
    assert reply["address"]["location"] == "$message.header#/reply"


@pytest.mark.parametrize("name", NAMES)
def test_the_errors_are_listed_in_the_order_of_the_checks(document: dict[str, Any], name: str) -> None:
    error = messages(document, name)[2]["payload"]["properties"]["error"]
    assert error["enum"] == ERRORS[name] + ANY


@pytest.mark.parametrize("name", NAMES)
def test_every_error_says_what_it_means(document: dict[str, Any], name: str) -> None:
    error = messages(document, name)[2]["payload"]["properties"]["error"]
    assert [told["error"] for told in error["x-errors"]] == error["enum"]
    assert all(told["meaning"].endswith(".") for told in error["x-errors"])


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_fit_the_schemas(document: dict[str, Any], name: str) -> None:
    for message in messages(document, name):
        (example,) = message["examples"]
        assert complaints(document, message, example["payload"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_fit_the_models(name: str) -> None:
    subject = declared(name)
    if subject.request:
        subject.request.model_validate_json(json.dumps(subject.example.send))
    if subject.reply is Done:
        assert Done("done").model_dump() | {"message": subject.example.reply["message"]} == subject.example.reply
    else:
        TypeAdapter(subject.reply).validate_python(subject.example.reply)


@pytest.mark.parametrize("name", [name for name in NAMES if declared(name).request])
def test_an_empty_object_does_not_fit_a_request(document: dict[str, Any], name: str) -> None:
    assert complaints(document, messages(document, name)[0], {})


@pytest.mark.parametrize("name", ["email_to_username", "email_to_sub", "username_to_sub", "user_metadata.read"])
def test_a_text_is_a_text(document: dict[str, Any], name: str) -> None:
    request = messages(document, name)[0]
    assert (request["contentType"], request["payload"]["type"]) == ("text/plain; charset=utf-8", "string")


def test_the_event_is_sent(document: dict[str, Any]) -> None:
    operation = document["operations"]["user_profile.updated"]
    assert operation["action"] == "send"
    assert follow(document, operation["channel"])["address"] == "lfx.user_profile.updated"


def test_the_example_of_the_event_fits_its_schema(document: dict[str, Any]) -> None:
    message = follow(document, document["operations"]["user_profile.updated"]["messages"][0])
    assert list(message["examples"][0]["payload"]) == ["user_id", "principal", "user_metadata", "timestamp"]
    assert complaints(document, message, message["examples"][0]["payload"]) == []


def undescribed(schema: dict[str, Any], where: str) -> list[str]:
    missing = [] if schema.get("description") or "$ref" in schema else [where]
    for name, part in schema.get("properties", {}).items():
        missing += undescribed(part, f"{where}.{name}")
    return missing


def test_every_schema_and_property_is_described(document: dict[str, Any]) -> None:
    components = document["components"]
    schemas = components["schemas"] | {name: message["payload"] for name, message in components["messages"].items()}
    assert [part for name, schema in schemas.items() for part in undescribed(schema, name)] == []


def test_every_operation_belongs_to_an_area_that_is_described(document: dict[str, Any]) -> None:
    areas = {tag["name"] for tag in document["info"]["tags"] if tag["description"]}
    assert {operation["tags"][0]["name"] for operation in document["operations"].values()} == areas


def test_no_server_of_a_deployment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://user:hunter2@nats.internal:4222")
    made = documents()
    assert made.document["servers"]["local"]["host"] == "localhost:4222"
    assert "nats.internal" not in made.json()
