# SPDX-License-Identifier: MIT
"""Linking and unlinking: POST and DELETE on a user's identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0.management import existing
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from tests.stand_ins.auth0.accounts import Account, Accounts, Profile
    from tests.stand_ins.auth0.tokens import Tokens

_OWN = "update:current_user_identities"
_PROFILE_DATA = ("email", "email_verified", "name", "nickname", "picture", "username", "given_name", "family_name")


class Identities:
    """Handlers. An identity that is linked loses its own user record; one that is unlinked gets it back."""

    def __init__(self, accounts: Accounts, tokens: Tokens) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self.removes_record = True
        """Whether linking removes the secondary user's own record."""
        self.status_not_linked = 404
        """What unlinking an identity that the user does not have is answered with."""

    def link(self, call: Call) -> Reply:
        """POST /api/v2/users/{id}/identities, by ID token or by provider and id."""
        account = self._accounts.by_id.get(call.segments[3])
        fields = call.fields()
        by_token = "link_with" in fields
        claims = self._tokens.authorize(call, "update:users", user_id=call.segments[3], own=_OWN if by_token else "")
        account = existing(account)
        if by_token and len(fields) > 1:
            raise api_refusal(
                400, "Payload validation error: 'link_with excludes the other properties'.", "invalid_body"
            )
        provider, identity_id = self._proven(fields, claims) if by_token else _named(fields)
        owner = self._accounts.owner(provider, identity_id)
        if owner is account:
            raise api_refusal(400, "The identity is already linked to this user.", "identity_already_linked")
        if owner is None:
            raise api_refusal(404, "The user does not exist.", "inexistent_user")
        if owner.user_id != f"{provider}|{identity_id}":
            raise api_refusal(409, "Specified identity already linked", "identity_conflict")
        return json_reply(201, self._link(account, owner))

    def unlink(self, call: Call) -> Reply:
        """DELETE /api/v2/users/{id}/identities/{provider}/{identity id}."""
        account = self._accounts.by_id.get(call.segments[3])
        self._tokens.authorize(call, "update:users", user_id=call.segments[3], own=_OWN)
        account = existing(account)
        wanted = call.segments[5], call.segments[6]
        first, *linked = account.profile["identities"]
        if (first["provider"], str(first["user_id"])) == wanted:
            raise api_refusal(400, "The main identity of a user cannot be unlinked.", "invalid_uri")
        removed = next((one for one in linked if (one["provider"], str(one["user_id"])) == wanted), None)
        if removed is None:
            message = "The user does not have the given identity."
            raise api_refusal(self.status_not_linked, message, "inexistent_identity")
        left = [first, *(one for one in linked if one is not removed)]
        self._accounts.change(account, identities=left)
        if self.removes_record:
            self._accounts.add(_as_user(removed))
        return json_reply(200, left)

    def _proven(self, fields: dict[str, Any], caller: dict[str, Any]) -> tuple[str, str]:
        token = fields["link_with"]
        azp = caller.get("azp")
        try:
            if not isinstance(token, str):
                raise ValueError("link_with must be a string")  # noqa: TRY004, TRY301 - one refusal for all that is wrong
            claims = self._tokens.verified(token, str(azp))
        except ValueError as error:
            raise api_refusal(400, f"Invalid link_with token: {error}", "invalid_body") from None
        provider, _, identity_id = str(claims.get("sub", "")).partition("|")
        return provider, identity_id

    def _link(self, account: Account, secondary: Account) -> list[dict[str, Any]]:
        first, *others = secondary.profile["identities"]
        data = {key: secondary.profile[key] for key in _PROFILE_DATA if key in secondary.profile}
        moved = [{**first, "profileData": data}, *others]
        identities = [*account.profile["identities"], *moved]
        if self.removes_record:
            self._accounts.remove(secondary)
        self._accounts.change(account, identities=identities)
        return identities


def _named(fields: dict[str, Any]) -> tuple[str, str]:
    provider, user_id = fields.get("provider"), fields.get("user_id")
    if not isinstance(provider, str) or not isinstance(user_id, str | int):
        raise api_refusal(400, "Payload validation error: 'provider and user_id are required'.", "invalid_body")
    text = str(user_id)
    return provider, text.removeprefix(f"{provider}|")


def _as_user(identity: dict[str, Any]) -> Profile:
    first = {key: value for key, value in identity.items() if key != "profileData"}
    user_id = f"{identity['provider']}|{identity['user_id']}"
    return {"user_id": user_id, **identity.get("profileData", {}), "identities": [first]}
