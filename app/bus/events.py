# SPDX-License-Identifier: MIT
"""The one event that the service publishes."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from app.domain.users import UserMetadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.metadata import ProfileUpdated
    from app.observability.telemetry import Telemetry


class ProfileUpdatedEvent(BaseModel):
    """Sent after the change was written, and before the reply to the request that made it. Nobody needs to answer.

    It is sent once and not repeated: whoever does not listen at that moment misses it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "auth0|ada",
                    "principal": "auth0|ada",
                    "user_metadata": {"name": "Ada Lovelace", "city": "Oslo", "country": "GB"},
                    "timestamp": "2026-01-31T12:00:00.123456Z",
                }
            ]
        }
    )

    user_id: str = Field(description="Subject identifier of the account that was changed.", examples=["auth0|ada"])
    principal: str = Field(description="Subject of the token with which it was changed.", examples=["auth0|ada"])
    user_metadata: UserMetadata = Field(description="The whole metadata after the change.")
    timestamp: str = Field(
        description="When, after the write: RFC 3339, UTC, with fractions of a second. Subscribers order by it.",
        examples=["2026-01-31T12:00:00.123456Z"],
    )


class NatsProfileEvents:
    """Publishes changes of profiles over NATS."""

    def __init__(self, publish: Callable[..., Awaitable[object]], telemetry: Telemetry) -> None:
        """Take what publishes a body with headers on the event's subject, and where failures are counted."""
        self._publish = publish
        self._telemetry = telemetry

    async def profile_updated(self, event: ProfileUpdated) -> None:
        """Publish the event; a failure is counted and logged, since the change stands."""
        try:
            body = ProfileUpdatedEvent(
                user_id=event.user_id,
                principal=event.principal,
                user_metadata=UserMetadata.of(event.user_metadata),
                timestamp=event.timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            )
            await self._publish(
                body.model_dump_json(exclude_none=True).encode(), headers=self._telemetry.tracing.headers()
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller's change is done
            self._telemetry.event_failed(error)
