# SPDX-License-Identifier: MIT
"""What is fetched in the background: its failures in a row, and their beginning and end in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loguru import logger

from app.domain.errors import ServiceError
from app.domain.redaction import redact
from providers.auth0.tenant.errors import CredentialsRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Background:
    """Awaits fetches, and logs the first of them that fails and the first that works again."""

    def __init__(self, operation: str) -> None:
        """Take what the operation is called in metrics and logs."""
        self._operation = operation
        self._began = 0.0
        self.failures = 0
        """How many have failed since the last that worked."""
        self.fault = ""
        """Why the last one failed, the empty string when it did not. It contains no secret."""

    async def run(self, fetch: Awaitable[object]) -> None:
        """Await `fetch`, and raise nothing of what it raises: the next one comes."""
        try:
            await fetch
        except (ServiceError, CredentialsRefused) as error:  # counted where it happened
            self._failed(str(error.__cause__ or error))
        except Exception as error:  # noqa: BLE001 - an unexpected one must not end the fetching
            logger.opt(exception=error).error("fetching from the tenant broke", operation=self._operation)
            self._failed(type(error).__name__)
        else:
            self._worked()

    def _failed(self, why: str) -> None:
        self.fault = redact(why)
        self.failures += 1
        if self.failures == 1:
            self._began = _now()
            logger.warning("fetching from the tenant fails", operation=self._operation, reason=self.fault)

    def _worked(self) -> None:
        if self.failures:
            lasted = round(_now() - self._began, 1)
            logger.warning(
                "fetching from the tenant works again",
                operation=self._operation,
                failures=self.failures,
                seconds=lasted,
            )
        self.failures, self.fault = 0, ""


def _now() -> float:
    return asyncio.get_running_loop().time()
