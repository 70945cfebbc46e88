# SPDX-License-Identifier: MIT
"""What stands in a tenant, without what is made up anew each time, so that two can be compared."""

from __future__ import annotations

import json

_TIMES = ("created_at", "updated_at", "built_at")
_SECRETS = ("client_secret", "signing_secret", "pem", "kid", "value")
_MADE_UP = {*_TIMES, *_SECRETS, "version_id", "number"}


def end_of(snapshot):
    """Everything in it: ids by the names of what they are of, and no order."""
    names = {one["client_id"]: f"client {one['name']}" for one in snapshot["clients"].values()}
    for kind, name in (("connections", "name"), ("apis", "identifier"), ("actions", "name"), ("exchanges", "name")):
        names |= {key: f"{kind} {one[name]}" for key, one in snapshot[kind].items()}
    names |= {key: f"grant of {names[one['client_id']]}" for key, one in snapshot["grants"].items()}
    for client_id, held in snapshot["credentials"].items():
        names |= dict.fromkeys(held, f"key of {names[client_id]}")
    return _told(snapshot, names)


def _told(value, names):
    if isinstance(value, dict):
        told = {names.get(key, key): _told(one, names) for key, one in value.items() if key not in _MADE_UP}
        return dict(sorted(told.items()))
    if isinstance(value, list):
        return sorted((_told(one, names) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return names.get(value, value) if isinstance(value, str) else value
