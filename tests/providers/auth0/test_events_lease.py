# SPDX-License-Identifier: MIT
"""Who reads the tenant's events, when JetStream does not answer, or what it answered is lost."""

from __future__ import annotations

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from providers.auth0.events.lease import Lease, LeaseUnavailable, NoJetStream
from tests.support.ports import nats_server


class Odd(Client):
    """A connection on which confirmations can be lost, and JetStream be away."""

    loses = away = False

    async def request(self, subject, *args, **options):
        if self.away:
            raise NoRespondersError
        reply = await super().request(subject, *args, **options)
        if self.loses and subject.startswith("$KV."):
            raise NatsTimeout
        return reply


@pytest.fixture
async def clients():
    with nats_server() as server:
        clients = Odd(), Odd()
        for client in clients:
            await client.connect(server.url)
        yield clients
        for client in clients:
            await client.close()


async def test_a_write_whose_confirmation_is_lost_takes_the_lease_from_nobody(clients):
    lease, waits = map(Lease, clients)
    assert await lease.take()
    clients[0].loses = True
    with pytest.raises(LeaseUnavailable):
        await lease.renew("o1")
    clients[0].loses = False
    assert not await lease.renew("o2")  # whose write it was cannot be told without looking
    assert await waits.take() is False
    assert (await lease.take(), lease.offset, lease.held) == (True, "o1", True)


async def test_jetstream_that_answered_lately_is_away_and_not_gone(clients):
    lease, waits = map(Lease, clients)
    for client in clients:
        client.away = True
    with pytest.raises(NoJetStream):
        await waits.take()
    clients[0].away = False
    assert await lease.take()
    clients[0].away = True
    with pytest.raises(LeaseUnavailable):
        await lease.take()
