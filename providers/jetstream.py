# SPDX-License-Identifier: MIT
"""Shared code for NATS Key-Value: compare-and-set, and the error codes of JetStream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nats.js.errors
from nats.js.api import Header

from app.domain.codes import StaleRevision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nats.js import JetStreamContext

ANOTHER_CONFIGURATION: Final = 10058
"""A bucket of that name is there, made otherwise than it was asked for now."""

NO_STREAM: Final = 10059
"""The bucket is not there, where something in it was asked for."""

_WRONG_REVISION: Final = (10071, 10164)


async def compare_and_set(
    jetstream: JetStreamContext, subject: str, value: bytes, revision: int, headers: Mapping[str, str] | None = None
) -> int:
    """Write `value` when the last revision of the key's subject is `revision` (0: none yet); return the new one.

    Raises StaleRevision, and whatever else nats-py raises (NATS ADR-8).
    """
    expected = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision), **(headers or {})}
    try:
        return (await jetstream.publish(subject, value, headers=expected)).seq
    except nats.js.errors.APIError as error:
        if error.err_code in _WRONG_REVISION:
            raise StaleRevision from error
        raise
