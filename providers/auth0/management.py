# SPDX-License-Identifier: MIT
"""The Management API: users and their identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import (
    IdentityNotFound,
    SearchFailed,
    UserNotFound,
    fail,
)
from app.domain.identity_tokens import unverified_claims, unverified_subject
from app.domain.spellings import forms
from providers.auth0.mapping import UserReader, WireUser
from providers.auth0.tenant import errors
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.client import TenantClient
from providers.auth0.tenant.escaping import UnsafeSegment, phrase, segment
from providers.auth0.tenant.limiter import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from app.domain.errors import ServiceError
    from app.domain.users import Address
    from providers.auth0.tenant.answers import Answer

_GET: Final = Kind("get_user", Lane.READ)
_BY_EMAIL: Final = Kind("users_by_email", Lane.READ, shape=list)
_SEARCH: Final = Kind("search_users", Lane.READ, shape=list)
_CREATE: Final = Kind("create_user", Lane.WRITE, writes=True)
_UPDATE: Final = Kind("update_user", Lane.WRITE, writes=True)
_DELETE: Final = Kind("delete_user", Lane.WRITE, writes=True, json=False)
_LINK: Final = Kind("link_identity", Lane.WRITE, writes=True, json=False)
_UNLINK: Final = Kind("unlink_identity", Lane.WRITE, writes=True, json=False)
_NONE: Final[Mapping[int, type[ServiceError]]] = {}
_NO_PROOF: Final[Mapping[int, type[ServiceError]]] = {errors.NOT_FOUND: SearchFailed}
"""Of a search that a write depends on: the tenant says 404 of none, so this one is of something that stands between."""


def _segment(value: str, error: type[ServiceError]) -> str:
    try:
        return segment(value)
    except UnsafeSegment:
        fail(error)


def _linked(body: Mapping[str, str]) -> tuple[str, str]:
    """Return the user who is linked, as the body of the call has it: subject identifier, and address if it tells one.

    A token is not verified: what it names wrongly is asked for again, no more.
    """
    token = body.get("link_with")
    if token is None:
        return f"{body['provider']}|{body['user_id']}", ""
    email = (unverified_claims(token) or {}).get("email")
    return unverified_subject(token), email if isinstance(email, str) else ""


class Management:
    """Calls of the Management API, in the service's own name unless a caller's token is given."""

    def __init__(self, tenant: TenantClient, reader: UserReader) -> None:
        """Take what calls the tenant, and what reads users out of its answers."""
        self._tenant = tenant
        self._reader = reader

    async def get(self, user_id: str, *, shared: bool = False, bad_id_is_nobody: bool = True) -> WireUser:
        """Return the user with that id; `shared` when the answer may be that of an identical read in flight.

        Raises UserNotFound, also for an id that the tenant takes for none, unless told otherwise; SearchFailed.
        """
        call = Call(
            kind=_GET,
            method="GET",
            path=f"/api/v2/users/{_segment(user_id, UserNotFound)}",
            fallback=SearchFailed,
            special={errors.BAD_REQUEST: UserNotFound} if bad_id_is_nobody else _NONE,
        )
        return self._reader.one(await self._read(call, shared=shared))

    async def by_email(self, address: Address, *, shared: bool = False) -> list[WireUser]:
        """Return the users whose own e-mail the tenant takes `address` for, in whichever of its forms it has it.

        Each form is requested, because the tenant compares exactly. A form that it rejects belongs to nobody.
        Raises SearchFailed; UserNotFound for a 404, if `shared`: no write may depend on that.
        """
        found: list[WireUser] = []
        spellings = forms(address)
        for form in spellings:
            call = Call(
                kind=_BY_EMAIL,
                method="GET",
                path="/api/v2/users-by-email",
                params={"email": form},
                fallback=SearchFailed,
                special=_NONE if shared else _NO_PROOF,
                passes=frozenset((errors.BAD_REQUEST,)) if len(spellings) > 1 else frozenset(),
            )
            answer = await self._read(call, shared=shared)
            found += self._reader.all(answer) if answer.ok else ()
        return found

    async def search_email(self, field: str, address: Address, *, shared: bool = False) -> list[WireUser]:
        """Return the users whose `field` the tenant takes for `address`, in whichever of its forms it has it."""
        return await self.search(field, *forms(address), shared=shared)

    async def search(self, field: str, *values: str, shared: bool = False) -> list[WireUser]:
        """Return the users whose `field` the tenant takes for one of `values`. Raises as `by_email` does."""
        call = Call(
            kind=_SEARCH,
            method="GET",
            path="/api/v2/users",
            params={"q": " OR ".join(f"{field}:{phrase(value)}" for value in values), "search_engine": "v3"},
            fallback=SearchFailed,
            special=_NONE if shared else _NO_PROOF,
        )
        return self._reader.all(await self._read(call, shared=shared))

    async def create(self, user: Mapping[str, Any], *, fallback: type[ServiceError]) -> WireUser | None:
        """Make a user, return it; None when there is one with that address in that connection already."""
        call = Call(
            kind=_CREATE,
            method="POST",
            path="/api/v2/users",
            json=user,
            fallback=fallback,
            passes=frozenset((errors.CONFLICT,)),
            addresses=(user.get("email", ""),),
        )
        answer = await self._tenant.call(call)
        return self._reader.one(answer) if answer.ok else None

    async def update(
        self,
        user_id: str,
        change: Mapping[str, Any],
        *,
        fallback: type[ServiceError],
        token: SecretStr | None = None,
        passes: frozenset[int] = frozenset(),
    ) -> Answer:
        """Change a user; the answer holds the user as stored. Raises UserNotFound, `fallback`."""
        return await self._tenant.call(
            Call(
                kind=_UPDATE,
                method="PATCH",
                path=f"/api/v2/users/{_segment(user_id, UserNotFound)}",
                json=change,
                token=token,
                fallback=fallback,
                passes=passes,
                touches=(user_id,),
                addresses=(change.get("email", ""),),
            )
        )

    def updated(self, answer: Answer, user_id: str) -> WireUser:
        """Return the user in the answer to an update. Raises ProviderUnavailable when it holds none."""
        return self._reader.one(answer, known_as=user_id)

    async def delete(self, user_id: str, *, fallback: type[ServiceError]) -> None:
        """Remove a user. Raises UserNotFound, `fallback`."""
        path = f"/api/v2/users/{_segment(user_id, UserNotFound)}"
        await self._tenant.call(Call(kind=_DELETE, method="DELETE", path=path, fallback=fallback, touches=(user_id,)))

    async def link(
        self,
        user_id: str,
        body: Mapping[str, str],
        *,
        fallback: type[ServiceError],
        token: SecretStr | None = None,
        passes: frozenset[int] = frozenset(),
    ) -> Answer:
        """Link an identity to a user. Raises UserNotFound, `fallback`."""
        subject, address = _linked(body)
        return await self._tenant.call(
            Call(
                kind=_LINK,
                method="POST",
                path=f"/api/v2/users/{_segment(user_id, UserNotFound)}/identities",
                json=body,
                token=token,
                fallback=fallback,
                passes=passes,
                touches=(user_id, subject),
                addresses=(address,),
            )
        )

    async def unlink(
        self,
        user_id: str,
        provider: str,
        identity_id: str,
        *,
        fallback: type[ServiceError],
        token: SecretStr | None = None,
    ) -> Answer:
        """Remove an identity from a user. Raises IdentityNotFound, `fallback`; a 400 is returned."""
        path = "/".join(
            (
                f"/api/v2/users/{_segment(user_id, UserNotFound)}/identities",
                _segment(provider, IdentityNotFound),
                _segment(identity_id, IdentityNotFound),
            )
        )
        return await self._tenant.call(
            Call(
                kind=_UNLINK,
                method="DELETE",
                path=path,
                token=token,
                fallback=fallback,
                special={errors.NOT_FOUND: IdentityNotFound},
                passes=frozenset((errors.BAD_REQUEST,)),
                touches=(user_id, f"{provider}|{identity_id}"),
            )
        )

    async def _read(self, call: Call, *, shared: bool) -> Answer:
        return await (self._tenant.shared(call) if shared else self._tenant.call(call))
