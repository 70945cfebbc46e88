# SPDX-License-Identifier: MIT
"""Users in memory: one short byte string each, which the garbage collector does not need to traverse."""

from __future__ import annotations

import marshal
from dataclasses import fields
from operator import attrgetter
from typing import Final

from app.domain.users import Identity, User

_FORM: Final = 2
"""Version of marshal: the last in which equal values always give equal bytes."""

_IDENTITY: Final = attrgetter(*(field.name for field in fields(Identity)))


def packed(user: User) -> bytes:
    """Return the user as bytes. Equal users give equal bytes."""
    identities = tuple(_IDENTITY(identity) for identity in user.identities)
    plain = (user.user_id, user.username, user.primary_email)
    return marshal.dumps((*plain, dict(user.user_metadata), identities), _FORM)


def unpacked(record: bytes) -> User:
    """Return the user from bytes that `packed` made in this process."""
    made = marshal.loads(record)  # noqa: S302 - by this process, and kept in its memory
    user_id, username, primary_email, metadata, identities = made
    return User(user_id, username, primary_email, metadata, tuple(Identity(*identity) for identity in identities))
