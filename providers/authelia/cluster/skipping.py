# SPDX-License-Identifier: MIT
"""What is logged of a user whom synchronisation leaves out."""

from __future__ import annotations

from loguru import logger

from app.domain.redaction import redact_subject


def log_skipped(username: str, why: str) -> None:
    """Log that a user is left out, with the name masked."""
    masked = redact_subject(f"user|{username}").removeprefix("user|")
    logger.warning(f"a user is skipped: {why}", user=masked)
