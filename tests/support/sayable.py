# SPDX-License-Identifier: MIT
"""Reports of tests that can be sent to another process: pytest-xdist ends all of them at a half surrogate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def sayable(text: str) -> str:
    """Return the text with what UTF-8 has no bytes for written as `\\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode()


def make_sayable(report: pytest.TestReport) -> None:
    """Replace in a report what xdist could not send."""
    report.sections = [(sayable(name), sayable(content)) for name, content in report.sections]
    report.user_properties = [
        (name, sayable(value) if isinstance(value, str) else value) for name, value in report.user_properties
    ]
    try:
        str(report.longreprtext).encode()
    except UnicodeEncodeError:
        # The text alone: a traceback that is made of parts has the half surrogate somewhere in one of them.
        report.longrepr = sayable(report.longreprtext)
