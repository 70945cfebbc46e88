# SPDX-License-Identifier: MIT
"""When a stream of events stands, connection after connection: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio

import pytest

from providers.auth0.events.standing import Standing
from tests.support.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_stream_stands_from_its_first_word_and_for_a_moment_between_two_connections():
    standing = Standing()
    standing.opened()
    assert not standing.reads_on
    standing.spoke()
    assert standing.reads_on
    standing.closed()
    await asyncio.sleep(0.9)
    assert standing.reads_on
    standing.opened()
    await asyncio.sleep(30.0)
    assert standing.reads_on
    standing.closed()
    await asyncio.sleep(1.1)
    assert not standing.reads_on


async def test_any_thread_can_ask_for_the_numbers():
    """Metrics by OTLP are read by a thread of their own, which has no event loop."""
    standing = Standing()
    standing.believe()
    standing.spoke()
    numbers = await asyncio.to_thread(standing.measurements)
    assert numbers["auth_service_auth0_events_stands"] == 1.0
    assert await asyncio.to_thread(standing.fault) == ""


@pytest.mark.parametrize("away", [1.1, 10.0, 59.0])
@in_virtual_time
async def test_a_stream_that_was_away_for_longer_stands_again_only_when_it_says_something(away):
    standing = Standing()
    standing.opened()
    standing.spoke()
    standing.closed()
    await asyncio.sleep(away)
    standing.opened()
    assert not standing.reads_on
    standing.spoke()
    assert standing.reads_on


@in_virtual_time
async def test_a_stream_that_is_granted_again_and_again_and_says_nothing_does_not_stand():
    standing = Standing()
    standing.opened()
    standing.spoke()
    standing.closed()
    for _ in range(10):
        await asyncio.sleep(0.4)
        standing.opened()
        standing.closed()
    assert not standing.reads_on
    standing.opened()
    assert not standing.reads_on
