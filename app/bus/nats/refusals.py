# SPDX-License-Identifier: MIT
"""Reads what a NATS server refuses a client from the text of its error: it has no other form."""

from __future__ import annotations

import re
from typing import Final

SUBSCRIPTION: Final = "subscription"

TOO_MANY: Final = "maximum subscriptions exceeded"
"""In the error for a subscription beyond the limit of the server or the account; it does not say which."""

_REFUSAL: Final = re.compile(r'(?:nats: )?permissions violation for (publish|subscription) to "([^"\\]*)"')
"""The server quotes as Go does, with a backslash before a quotation mark: such a subject is none of the service's."""


def refusal(error: str) -> tuple[str, str]:
    """Return what is refused, `publish` or `SUBSCRIPTION`, and the subject; empty strings for any other error.

    Everything is in lower case: the client library gives the error so. A caller chooses the subjects to which replies
    are published; `app.bus.subjects.is_inbox` keeps them apart from those of the service in lower case too.
    """
    found = _REFUSAL.match(error.lower())
    return (found[1], found[2]) if found else ("", "")
