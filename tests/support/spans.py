# SPDX-License-Identifier: MIT
"""What a recorded span tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


def told_by(span: ReadableSpan) -> str:
    """Return everything a span says but its ids: hexadecimal digits spell names by chance."""
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    return repr(
        (span.name, dict(span.attributes or {}), span.status.description, events, dict(span.resource.attributes))
    )
