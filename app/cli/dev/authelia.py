# SPDX-License-Identifier: MIT
"""The Authelia provider in `auth-service dev`: with stand-ins for userinfo, Kubernetes and mail, and NATS beside it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from app.cli.dev.stand_in import StandIn, StandInMissing, Try, body
from app.settings.authelia import AutheliaSettings, EmailSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.stand_in import Wishes
    from app.settings import Settings

_NEW_ADDRESS: Final = "ada@new.example"
_MISSING: Final = (
    "What stands in for Authelia, Kubernetes and the mail server belongs to the tests. Start it in a checkout, with "
    "the development dependencies: `make install`, then `.venv/bin/auth-service dev --provider authelia`"
)


_ELSEWHERE: Final = ("configmap_name", "namespace", "daemonset_name", "secret_name", "kv_replicas")
"""Settings that lead to what the stand-ins do not have: they keep their defaults."""


@contextmanager
def authelia_stand_in(given: Settings, _nats_url: str, _wishes: Wishes) -> Iterator[StandIn]:
    """Run the stand-ins as long as the context lasts. Raises StandInMissing."""
    try:
        # The one way from the product into its tests, taken when it is asked for.
        from tests.stand_ins.authelia import authelia_process  # noqa: PLC0415 - see the line above
    except ImportError as error:
        raise StandInMissing(f"{_MISSING} ({error}).") from None
    with authelia_process() as stand_in:
        yield StandIn(
            sections=(
                given.authelia.model_copy(update={**_defaults(), "userinfo_url": stand_in.userinfo}),
                _mail(given.email, stand_in.mail_port),
            ),
            environment={"KUBECONFIG": stand_in.kubeconfig},
            places=[
                ("Users file", f"{stand_in.control}/users_database.yml"),
                ("Mails", f"{stand_in.control}/mails"),
                ("Kubernetes", stand_in.kubernetes),
                ("Userinfo", stand_in.userinfo),
            ],
            users=_table(stand_in.users),
            notes=["Mails are not sent but shown, here and at the address above, with their codes."],
            requests=_requests(),
            aliases=False,
            tokens={user["username"]: user["token"] for user in stand_in.users},
        )


def _defaults() -> dict[str, Any]:
    return {name: AutheliaSettings.model_fields[name].default for name in _ELSEWHERE}


def _mail(given: EmailSettings, port: int) -> EmailSettings:
    """Return how mail goes to the stand-in, from the sender that is given."""
    place = {"host": "127.0.0.1", "port": port, "username": None, "password": None}
    return given.model_copy(update={**place, "from_name": given.from_name or "Auth service"})


def _table(users: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    rows = [("USER", "E-MAIL", "TOKEN")]
    return rows + [(user["username"], user["email"], user["token"]) for user in users]


def _requests() -> list[Try]:
    return [
        Try("user_emails.read", body(user={"auth_token": "ada"})),
        Try("email_linking.send_verification", _NEW_ADDRESS, "the mail is shown in this terminal"),
        Try("email_linking.verify", body(email=_NEW_ADDRESS, otp="CODE"), "CODE: the six digits of the mail"),
        Try(
            "user_identity.link",
            body(link_with={"identity_token": "IDENTITY-TOKEN"}),
            "IDENTITY-TOKEN: the `id_token` of the reply before",
            user="ada",
        ),
        Try(
            "user_emails.set_primary",
            body(email=_NEW_ADDRESS),
            "then look at the users file: the address is there within seconds",
            user="ada",
        ),
    ]
