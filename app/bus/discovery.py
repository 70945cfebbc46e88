# SPDX-License-Identifier: MIT
"""The NATS services protocol (ADR-32): what `nats micro ls`, `info` and `stats` show of the service.

It answers for the subscriptions that there are and makes none of its own to the subjects: its numbers are those that
`/metrics` shows.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from loguru import logger
from nats.nuid import NUID

from app.bus.repetition import Repetition
from app.bus.subjects import PREFIX, is_inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from app.bus.subjects import Subject
    from app.observability.request_metrics import SubjectCounts

NAME: Final = "lfx-v2-auth-service"
_TYPE: Final = "io.nats.micro.v1.{}_response"
_DESCRIPTION: Final = "Who a user is, and changes to what belongs to a user."
_NANOSECONDS: Final = 1e9
_MAX_PENDING: Final = 1024
"""Questions that wait to be answered; the client library drops what comes beyond."""
PERIOD: Final = 1.0
"""Seconds in which at most `MAX_ANSWERS` questions are answered."""
MAX_ANSWERS: Final = 50
"""Anybody on the bus may ask, and an answer to `$SRV.STATS` costs as much as ten look-ups."""


class Discovery:
    """Answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, to all services, to this one's name and to its id."""

    def __init__(self, subjects: Sequence[Subject], counts: Mapping[str, SubjectCounts], version: str) -> None:
        """Take the subjects that are served, what is counted of them by name, and the service's version."""
        self.id = NUID().next().decode()
        self._subjects = subjects
        self._prefix = subjects[0].prefix if subjects else PREFIX
        self._counts = counts
        self._started = datetime.now(UTC)
        self._who = {
            "name": NAME,
            "id": self.id,
            "version": version,
            "metadata": {"schema": "/asyncapi.json", "documentation": "/docs"},
        }
        self._subscriptions: list[Subscription] = []
        self._begun = -PERIOD
        self._answered = 0
        self._too_many = Repetition("too many questions to $SRV")

    async def start(self, client: Client) -> None:
        """Subscribe, without a queue group: every instance answers."""
        answers = {"PING": self.ping, "INFO": self.info, "STATS": self.stats}
        for verb, answer in answers.items():
            for subject in (f"$SRV.{verb}", f"$SRV.{verb}.{NAME}", f"$SRV.{verb}.{NAME}.{self.id}"):
                subscription = await client.subscribe(
                    subject, cb=self._answering(answer), pending_msgs_limit=_MAX_PENDING
                )
                self._subscriptions.append(subscription)

    async def stop(self) -> None:
        """Unsubscribe: a service that takes no more requests is not there any more."""
        subscriptions, self._subscriptions = self._subscriptions, []
        try:
            await asyncio.gather(*(subscription.unsubscribe() for subscription in subscriptions))
        finally:  # what comes until then may begin a period, whose timer would outlast the service
            self._too_many.close()

    def ping(self) -> dict[str, Any]:
        """Return who this is."""
        return {"type": _TYPE.format("ping"), **self._who}

    def info(self) -> dict[str, Any]:
        """Return who this is, and every endpoint."""
        endpoints = [
            {**_endpoint(subject), "metadata": {"schema": f"/asyncapi.json#/operations/{subject.name}"}}
            for subject in self._subjects
        ]
        return {"type": _TYPE.format("info"), **self._who, "description": _DESCRIPTION, "endpoints": endpoints}

    def stats(self) -> dict[str, Any]:
        """Return what was counted since the start. Times are nanoseconds; a failure is an error, whosesoever fault."""
        return {
            "type": _TYPE.format("stats"),
            **self._who,
            "started": self._started.isoformat().replace("+00:00", "Z"),
            "endpoints": [
                {**_endpoint(subject), **_statistics(self._counts[subject.name])} for subject in self._subjects
            ],
        }

    def _answering(self, answer: Callable[[], dict[str, Any]]) -> Callable[[Msg], Any]:
        async def on_message(message: Msg) -> None:
            if not message.reply or not is_inbox(message.reply, self._prefix):
                return
            if not self._has_room():
                self._too_many.warn("", f"at most {MAX_ANSWERS} are answered in {PERIOD:g} s")
                return
            message.headers = None  # `respond` would send them back
            try:
                await message.respond(json.dumps(answer(), separators=(",", ":")).encode())
            except Exception as error:  # noqa: BLE001 - the connection may go at any moment; whoever asked asks again
                logger.debug("discovery could not be answered", error=repr(error))

        return on_message

    def _has_room(self) -> bool:
        if (now := time.monotonic()) - self._begun >= PERIOD:
            self._begun, self._answered = now, 0
        self._answered += 1
        return self._answered <= MAX_ANSWERS


def _endpoint(subject: Subject) -> dict[str, Any]:
    # An endpoint's name may not have dots.
    return {"name": subject.name.replace(".", "-"), "subject": subject.address, "queue_group": subject.queue}


def _statistics(counts: SubjectCounts) -> dict[str, Any]:
    requests = counts.requests
    time = round(counts.seconds * _NANOSECONDS)
    return {
        "num_requests": requests,
        "num_errors": counts.errors,
        "last_error": counts.last_error,
        "processing_time": time,
        "average_processing_time": time // requests if requests else 0,
    }
