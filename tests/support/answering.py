# SPDX-License-Identifier: MIT
"""A service that answers as a test says, below a prefix of its own, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

from tests.support.raw_client import connect

EMAILS = {
    "success": True,
    "data": {
        "primary_email": "ada@example.org",
        "alternate_emails": [
            {"email": "ada@lovelace.example", "verified": True},
            {"email": "ada@work.example", "verified": False},
        ],
    },
}
IDENTITIES = {
    "success": True,
    "data": [
        {"provider": "auth0", "user_id": "ada", "isSocial": False},
        {"provider": "google-oauth2", "user_id": "1029", "isSocial": True, "profileData": {"name": "Ada"}},
    ],
}
METADATA = {"success": True, "data": {"city": "Oslo", "name": "Ada Lovelace"}}
NOT_FOUND = {"success": False, "error": "user not found"}
REPLIES = {
    "email_to_username": b"ada",
    "email_to_sub": b"auth0|ada",
    "username_to_sub": b"auth0|ada",
    "user_metadata.read": METADATA,
    "user_emails.read": EMAILS,
    "user_identity.list": IDENTITIES,
}


def encoded(reply):
    return reply if isinstance(reply, bytes) else json.dumps(reply).encode()


class Answering:
    """What it was sent, by subject; replies are those of `REPLIES` unless told otherwise."""

    def __init__(self, client, prefix, replies):
        self.prefix, self.replies = prefix, {**REPLIES, **replies}
        self.received = []
        self._client = client
        self._tasks = set()

    async def take(self, message):
        name = message.subject.removeprefix(self.prefix)
        self.received.append((name, message.data))
        reply = self.replies.get(name, NOT_FOUND)
        if callable(reply):
            task = asyncio.create_task(reply(self._client, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif reply is not None and message.reply:
            await self._client.publish(message.reply, encoded(reply))


@asynccontextmanager
async def answering(url, prefix, replies=()):
    """Run it while the context lasts."""
    client = await connect(url)  # as nats-py has it, one message that it cannot read would end it
    service = Answering(client, prefix, dict(replies))
    await client.subscribe(f"{prefix}>", queue=f"{prefix}queue", cb=service.take)
    await client.flush()
    try:
        yield service
    finally:
        await client.close()
