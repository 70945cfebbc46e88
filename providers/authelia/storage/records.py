# SPDX-License-Identifier: MIT
"""A user's record in storage. Unknown fields are kept as they are."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app.domain import subject_ids
from app.domain.halves import decoded, whole
from app.domain.json_bounds import VALUES, holds_more
from app.domain.metadata import known
from app.domain.spellings import comparable, forms, same
from app.domain.users import EMAIL, Address, Identity, User
from providers.authelia.storage.kv import is_legal_key

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

_LOOKUPS: Final = "lookup/authelia-users/"
_LOOKUP_ROOT: Final = "lookup/"
_MAX_VALUES: Final = 50_000


def hashed(text: str) -> str:
    """Return the SHA-256, in hex, of a text that is compared without regard to case."""
    return hashlib.sha256(text.strip().lower().encode()).hexdigest()


def email_key(address: str) -> str:
    """Return the lookup key of an address, one for all its spellings: what claims of it are decided by."""
    return as_spelled(comparable(address))


def as_spelled(address: str) -> str:
    """Return the lookup key of an address in one spelling, under which others look for it, and older data has it."""
    return f"{_LOOKUPS}email/{hashed(address)}"


def other_email_keys(address: str) -> tuple[str, ...]:
    """Return the lookup keys of an address in the spellings in which it may be stored, without the one for all.

    A plain ASCII address has none, so all of this is for others.
    """
    keys = dict.fromkeys(as_spelled(form) for form in forms(address))
    keys.pop(email_key(address), None)
    return tuple(keys)


def subject_key(subject: str) -> str:
    """Return the lookup key of a subject identifier."""
    return f"{_LOOKUPS}sub/{hashed(subject)}"


def is_username(key: str) -> bool:
    """Whether a user's record can stand under that key."""
    return is_legal_key(key) and not key.startswith(_LOOKUP_ROOT)


def parse(value: bytes | None) -> Record | None:
    """Return the record, None when there is none or what stands there is no JSON object, or one that is no user's.

    What is no character cannot be written again, and stands as U+FFFD.
    """
    value = value or b"null"
    if holds_more(_MAX_VALUES, value, VALUES):
        return None
    try:
        record = whole(json.loads(decoded(value)), value)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def encode(record: Record, now: float) -> bytes:
    """Return what is stored, with the moment (Unix seconds) at which it changed."""
    stamped = {**record, "updated_at": timestamp(now)}
    return json.dumps(stamped, ensure_ascii=False, separators=(",", ":")).encode()


def timestamp(now: float) -> str:
    """Return RFC 3339, UTC, of Unix seconds."""
    return datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")


def new(username: str, email: str, displayname: str, now: float) -> Record:
    """Return the record of somebody of whom nothing else is known yet."""
    return {
        "username": username,
        "sub": "",
        "email": email,
        "displayname": displayname,
        "user_metadata": {},
        "alternate_email": [],
        "identities": [],
        "created_at": timestamp(now),
    }


def text(record: Record, field: str) -> str:
    """Return a field that should be a string, the empty string when it is none."""
    value = record.get(field)
    return value if isinstance(value, str) else ""


def address(value: str) -> Address:
    """Return a stored address as it is shown, in lower case; compared it is by `spellings`."""
    return Address(value.strip().lower())


def objects(record: Record, field: str) -> list[Record]:
    """Return the objects of a field that should be a list of them."""
    value = record.get(field)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def subject_of(username: str, record: Record) -> str:
    """Return the stored subject identifier, or the derived one."""
    return text(record, "sub").strip() or subject_ids.derive(username)


def held(record: Record) -> Iterator[Address]:
    """Yield the addresses that belong to the account: the primary one, and verified alternates."""
    if primary := address(text(record, "email")):
        yield primary
    for identity in _identities(record):
        if identity.is_email and identity.email_verified:
            yield address(identity.email)


def holds(record: Record, wanted: Address) -> bool:
    """Whether the address, in any spelling, belongs to the account."""
    return any(same(one, wanted) for one in held(record))


def mentions(record: Record, wanted: Address) -> bool:
    """Whether the address, in any spelling, stands in the record in any way."""
    return holds(record, wanted) or any(i.is_email and same(i.email, wanted) for i in _identities(record))


def user(username: str, record: Record) -> User:
    """Return the user whose record it is."""
    metadata = record.get("user_metadata")
    return User(
        user_id=subject_of(username, record),
        username=username,
        primary_email=address(text(record, "email")),
        user_metadata=known(metadata) if isinstance(metadata, dict) else {},
        identities=tuple(_identities(record)),
    )


def _identities(record: Record) -> Iterator[Identity]:
    for entry in objects(record, "identities"):
        provider, identity_id, email = text(entry, "provider"), identifier(entry), text(entry, "email")
        connection = text(entry, "connection") or provider
        if _is_alternate(entry):  # whatever older data calls it
            provider, identity_id, email = EMAIL, address(email), address(email)
        yield Identity(
            provider=provider,
            identity_id=identity_id,
            connection=connection,
            email=email,
            email_verified=entry.get("email_verified") is True,
            nickname=text(entry, "nickname"),
            name=text(entry, "name"),
            is_social=entry.get("is_social") is True,
        )
    for entry in objects(record, "alternate_email"):
        if email := address(text(entry, "email")):
            yield Identity(EMAIL, email, EMAIL, email, email_verified=entry.get("verified") is True)


def _is_alternate(entry: Any) -> bool:  # noqa: ANN401 - what older data may have among the identities
    """Whether this entry of `identities` is an alternate address."""
    if not isinstance(entry, dict) or not address(text(entry, "email")):
        return False
    return (text(entry, "connection") or text(entry, "provider")) == EMAIL


def identifier(entry: Record) -> str:
    """Return the identifier of an identity: a text, or the digits of a whole number; anything else is none."""
    found = entry.get("identity_id")
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else text(entry, "identity_id")


def alternates(record: Record) -> list[Record]:
    """Return the entries of all alternate addresses. Older data has some among the identities."""
    older = filter(_is_alternate, objects(record, "identities"))
    moved = [{"email": text(entry, "email"), "verified": entry.get("email_verified") is True} for entry in older]
    return [*moved, *objects(record, "alternate_email")]


def with_alternates(record: Record, entries: list[Record]) -> Record:
    """Return the record with these alternate addresses, none of them among the identities."""
    changed = {**record, "alternate_email": entries}
    if isinstance(identities := record.get("identities"), list):
        changed["identities"] = [entry for entry in identities if not _is_alternate(entry)]
    return changed


def with_verified(record: Record, wanted: Address) -> Record:
    """Return the record with the address as a verified alternate, in the place of an unverified entry."""
    entries = alternates(record)
    if any(same(text(entry, "email"), wanted) for entry in entries):
        marked = [{**e, "verified": True} if same(text(e, "email"), wanted) else e for e in entries]
        return with_alternates(record, marked)
    return with_alternates(record, [*entries, {"email": wanted, "verified": True}])


def without_alternate(record: Record, unwanted: Address, *, unverified_only: bool = False) -> Record:
    """Return the record without the alternate address."""

    def goes(entry: Record) -> bool:
        return same(text(entry, "email"), unwanted) and not (unverified_only and entry.get("verified") is True)

    return with_alternates(record, [entry for entry in alternates(record) if not goes(entry)])
