# SPDX-License-Identifier: MIT
"""How many series of metrics there are: as many as subjects and outcomes, however many callers."""

from __future__ import annotations

import asyncio

from tests.support.slow import PREFIX, place


def names(service) -> set[str]:
    lines = service.telemetry.exposition().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


async def test_a_thousand_inboxes_add_no_series(nats):
    async with place(nats.url) as service:
        before = names(service)
        inboxes = [service.client.new_inbox() for _ in range(1000)]
        replies = [asyncio.get_running_loop().create_future() for _ in inboxes]
        for inbox, reply in zip(inboxes, replies, strict=True):

            async def take(message, reply=reply):
                reply.set_result(message.data)

            await service.client.subscribe(inbox, cb=take)
            await service.client.publish(PREFIX + "username_to_sub", b"ada", reply=inbox)
        assert set(await asyncio.gather(*replies)) == {b"auth0|ada"}
        assert names(service) == before
    labels = {"subject": "username_to_sub", "outcome": "success"}
    assert service.telemetry.registry.get_sample_value("auth_service_requests_total", labels) == 1000


async def test_neither_unknown_users_nor_odd_bodies_nor_headers_add_a_series(nats):
    async with place(nats.url) as service:
        before = names(service)
        for number in range(50):
            await service.ask("email_to_sub", f"user{number}@example.org".encode())
            await service.ask("user_emails.read", b"[" * number)
        assert names(service) == before
