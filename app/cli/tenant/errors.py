# SPDX-License-Identifier: MIT
"""The reasons why the tenant could not be asked, or did not do what it was asked."""

from __future__ import annotations

import re
from typing import Final

_EXPECTED: Final = re.compile(r"expected any of: ([\w:, ]{1,300})")


class TenantError(Exception):
    """A call that failed; the message names the operation and holds no secret."""


class Unreachable(TenantError):
    """Nobody answers, or not as a tenant does, or the token is refused: nothing can be asked at all."""


class Unreadable(TenantError):
    """What came is not what this operation answers."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation}: the tenant's answer cannot be read")


class Refused(TenantError):
    """The tenant has understood, and says no."""

    def __init__(self, operation: str, status: int, message: str) -> None:
        super().__init__(f"{operation}: {message} (status {status})" if message else f"{operation}: status {status}")
        self.status = status
        found = _EXPECTED.search(message) if status == 403 else None  # noqa: PLR2004 - RFC 9110, section 15.5.4
        self.lacking = found[1].replace(",", " or ") if found else ""
        """The scopes, one of which would do, as far as the tenant names them."""


class Unusable(Exception):
    """Nothing can be begun; the message says what to do."""
