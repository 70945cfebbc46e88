# SPDX-License-Identifier: MIT
"""The Auth0 provider in `auth-service dev`: on a tenant that stands in for Auth0, in a process of its own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from app.cli.dev.stand_in import StandIn, StandInMissing, Try, body
from app.settings.auth0 import Auth0Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.cli.dev.stand_in import Wishes
    from app.settings import Settings

_DAY: Final = 86_400
_NEW_ADDRESS: Final = "grace@new.example"
_NEW_IDENTITY: Final = "google-oauth2|4096"
_IMPERSONATOR: Final = "ada.impersonator"
_MAILS: Final = "Mails are not sent but shown, here and at the address above, with their codes."
_UNSET: Final = ("AUTH0_TENANT", "AUTH0_ORGANIZATION", "AUTH0_MANAGEMENT_AUDIENCE")
"""What would lead away from the tenant, were it taken from the environment."""

_MISSING: Final = (
    "The tenant that stands in for Auth0 belongs to the tests. Start it in a checkout, with the development "
    "dependencies: `make install`, then `.venv/bin/auth-service dev --provider auth0`"
)


@contextmanager
def standing_tenant(wishes: Wishes, *, bare: bool = False, port: int = 0) -> Iterator[Any]:
    """Run the tenant as long as the context lasts; `bare`: nothing is set up in it. Raises StandInMissing."""
    try:
        # The one way from the product into its tests, taken when it is asked for.
        from tests.stand_ins.auth0 import tenant_process  # noqa: PLC0415 - see the line above
    except ImportError as error:
        raise StandInMissing(f"{_MISSING} ({error}).") from None
    limit, events = wishes.rate_limit, wishes.events
    with tenant_process(port=port, show_mails=True, rate_limit=limit, bare=bare, events=events) as tenant:
        yield tenant


@contextmanager
def auth0_stand_in(given: Settings, _nats_url: str, wishes: Wishes) -> Iterator[StandIn]:
    """Run the tenant as long as the context lasts. Raises StandInMissing."""
    with standing_tenant(replace(wishes, events=wishes.events or given.auth0.events)) as tenant:
        yield StandIn(
            sections=(_settings(given.auth0, tenant.environment),),
            environment={"SSL_CERT_FILE": tenant.environment["SSL_CERT_FILE"]},
            places=[
                ("Tenant", f"https://{tenant.environment['AUTH0_DOMAIN']}"),
                ("Its mails", f"{tenant.control}/mails"),
            ],
            users=table_of(tenant.users),
            notes=[_MAILS],
            requests=_requests(),
            tokens=tokens_of(tenant),
        )


def _settings(given: Auth0Settings, environment: Mapping[str, str]) -> Auth0Settings:
    """Return the provider's settings; what is given of another tenant does not count."""
    values: dict[str, Any] = {**dict.fromkeys(_UNSET, ""), **environment}
    fields = {name: str(field.validation_alias) for name, field in Auth0Settings.model_fields.items()}
    of_the_tenant = Auth0Settings(**{name: value for name, value in values.items() if name in fields.values()})
    decided = {name: getattr(of_the_tenant, name) for name, variable in fields.items() if variable in values}
    return given.model_copy(update=decided)


def table_of(users: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Return the users as a table, its head first."""
    rows = [("USER", "E-MAIL", "SUBJECT IDENTIFIER")]
    rows += [(user["username"] or "-", user["email"] or "-", user["user_id"]) for user in users]
    return rows


def tokens_of(tenant: Any) -> dict[str, str]:  # noqa: ANN401 - its class belongs to the tests
    """Return everybody's token, one with which Ada may act as somebody else, and a social identity's."""
    return {
        **{user["username"] or user["user_id"]: user["token"] for user in tenant.users},
        _IMPERSONATOR: tenant.impersonator_token("ada", lifetime=_DAY),
        _NEW_IDENTITY: tenant.id_token(_NEW_IDENTITY, lifetime=_DAY, email="grace@gmail.example", name="Grace"),
    }


def _requests() -> list[Try]:
    return [
        Try("email_to_sub", "ada@example.org"),
        Try("user_emails.read", body(user={"auth_token": "auth0|ada"})),
        Try("user_metadata.read", "", "a token is taken too", user="ada"),
        Try("user_metadata.update", body(user_metadata={"city": "Oslo"}), user="ada"),
        Try("email_linking.send_verification", _NEW_ADDRESS, "a code for a new address"),
        Try(
            "email_linking.verify",
            body(email=_NEW_ADDRESS, otp="CODE"),
            "CODE: the six digits of that mail; the reply is an identity token",
        ),
        Try(
            "user_identity.link",
            body(link_with={"identity_token": f"@{_NEW_IDENTITY}"}),
            "a social identity for Grace",
            user="grace.hopper",
        ),
        Try(
            "impersonation.token_exchange",
            body(subject_token=f"@{_IMPERSONATOR}", target_user="grace.hopper"),
            "Ada may act as Grace: this token for the platform's API says so",
        ),
    ]
