# SPDX-License-Identifier: MIT
"""What tenants hold and their definition forbids: odd fields of users, and entries of results that are no users."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stand_ins.auth0.web import Reply

ABSENT = object()
"""A field's value that says that the field is not there."""


@dataclass
class Oddities:
    """What replies hold in the place of the right values."""

    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By user id: values by their place, for example `identities.1.profileData.email`."""

    strangers: list[Any] = field(default_factory=list)
    """What stands at the beginning of every list of users besides."""

    def show(self, reply: Reply) -> None:
        """Put the odd values into a reply that holds users."""
        if not (self.fields or self.strangers) or reply.status >= 300:
            return
        content = json.loads(reply.body)
        if isinstance(content, list):
            content = [*self.strangers, *content]
        for user in content if isinstance(content, list) else [content]:
            if isinstance(user, dict):
                for place, value in self.fields.get(str(user.get("user_id")), {}).items():
                    _put(user, place.split("."), value)
        reply.body = json.dumps(content).encode()


def _put(content: Any, place: list[str], value: Any) -> None:
    for step in place[:-1]:
        content = content[int(step) if isinstance(content, list) else step]
    last = int(place[-1]) if isinstance(content, list) else place[-1]
    if value is ABSENT:
        content.pop(last, None)
    else:
        content[last] = value
