# SPDX-License-Identifier: MIT
"""What all resources of the Management API have in common: scopes, pages, fields that are allowed, ids."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.web import Call, Refusal, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Record = dict[str, Any]
_MOST: Final = 100


class Records:
    """Records of one kind, by id, oldest first."""

    def __init__(self, authorize: Callable[..., Record], stamp: Callable[[], str]) -> None:
        """Take what checks a call's scopes, and what tells the time as Auth0 writes it."""
        self.authorize = authorize
        self.stamp = stamp
        self.by_id: dict[str, Record] = {}

    def existing(self, record_id: str, what: str) -> Record:
        """Return a record; Refusal 404 when there is none."""
        if record_id not in self.by_id:
            raise api_refusal(404, f"The {what} does not exist.", f"inexistent_{what.replace(' ', '_')}")
        return self.by_id[record_id]


def new_id(prefix: str = "", length: int = 16) -> str:
    """Return an id as Auth0 gives them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return prefix + "".join(secrets.choice(alphabet) for _ in range(length))


def taken(message: str, code: str = "conflict") -> Refusal:
    """Refuse because there is one already."""
    return api_refusal(409, message, code)


def invalid(message: str) -> Refusal:
    """Refuse a body."""
    return api_refusal(400, f"Payload validation error: '{message}'.", "invalid_body")


def fields_of(call: Call, allowed: Collection[str], required: Iterable[str] = ()) -> Record:
    """Return the body's fields; Refusal 400 when one is unknown or missing, as Auth0's schemas have it."""
    fields = call.fields()
    for name in fields:
        if name not in allowed:
            raise invalid(f"Additional properties not allowed: {name}")
    for name in required:
        if name not in fields:
            raise invalid(f"Missing required property: {name}")
    return fields


def offset_page(call: Call, name: str, found: list[Record], *, total: bool = True) -> Reply:
    """Return a page by `page` and `per_page`: an object with totals when asked for them, else a bare list."""
    page, size = _number(call, "page", 0, 1_000), _number(call, "per_page", 50, _MOST)
    shown = found[page * size : (page + 1) * size]
    if not total or call.query.get("include_totals") != "true":
        return json_reply(200, shown)
    totals = {"start": page * size, "limit": size, "length": len(shown), "total": len(found)}
    return json_reply(200, {**totals, name: shown})


def checkpoint_page(call: Call, name: str, found: list[Record]) -> Reply:
    """Return a page by `from` and `take`; `next` is there as long as more follows."""
    size = _number(call, "take", 50, _MOST)
    try:
        start = int(base64.b64decode(call.query["from"])) if "from" in call.query else 0
    except ValueError:
        raise api_refusal(400, "Invalid checkpoint.", "invalid_paging") from None
    shown = {name: found[start : start + size]}
    more = start + size < len(found)
    return json_reply(200, {**shown, "next": base64.b64encode(str(start + size).encode()).decode()} if more else shown)


def selected(record: Record, call: Call) -> Record:
    """Return what `fields` and `include_fields` leave of a record."""
    if "fields" not in call.query:
        return record
    named = call.query["fields"].split(",")
    include = call.query.get("include_fields", "true") == "true"
    return {key: value for key, value in record.items() if (key in named) is include}


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise api_refusal(400, f"Query validation error: '{name}'.", "invalid_query_string")
    return int(text)
