# SPDX-License-Identifier: MIT
# ruff: noqa: SLF001 - the library's inner life is what is shown here
"""What is used of FastStream beyond its public interface.

When one of these fails after a new release of FastStream, look at `app/bus/subscriber.py` and
`app/bus/broker.py`, and at FastStream's `nats/subscriber/usecases/` and `nats/broker/`;
`docs/decisions/0002-the-subscriber.md` says what is used and why.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from faststream._internal.broker.registrator import Registrator
from faststream._internal.context.context_type import Context as Injected
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.nats import NatsBroker, NatsRouter, TestNatsBroker
from faststream.nats.subscriber.config import NatsSubscriberConfig, NatsSubscriberSpecificationConfig
from faststream.nats.subscriber.specification import NatsSubscriberSpecification
from faststream.nats.subscriber.usecases import CoreSubscriber
from faststream.response import Response, ensure_response

from tests.bus.subjects import broker_of

LOOK = "FastStream changed; look at docs/decisions/0002-the-subscriber.md and app/bus/"


def _parameters(function) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_the_release_is_one_that_was_looked_at():
    assert version("faststream").startswith("0.7."), LOOK


@pytest.mark.parametrize(
    ("function", "needed"),
    [
        (NatsSubscriberConfig, {"subject", "sub_config", "extra_options", "_outer_config"}),
        (NatsSubscriberSpecification, {"_outer_config", "calls", "specification_config"}),
        (
            NatsSubscriberSpecificationConfig,
            {"subject", "queue", "title_", "description_", "include_in_schema"},
        ),
        (CoreSubscriber.__init__, {"self", "config", "specification", "calls", "queue"}),
        (CallsCollection, set()),
        (Registrator.subscriber, {"self", "subscriber"}),
        (NatsBroker.publisher, {"subject", "title", "description", "schema"}),
    ],
)
def test_constructors_take_what_they_are_given(function, needed):
    assert needed <= _parameters(function), LOOK


def test_a_subscriber_creates_its_subscription_where_ours_does():
    assert inspect.iscoroutinefunction(CoreSubscriber._create_subscription), LOOK
    assert _parameters(CoreSubscriber._create_subscription) == {"self"}, LOOK
    assert "self._create_subscription()" in inspect.getsource(CoreSubscriber.__mro__[2].start), LOOK


def test_a_broker_connects_where_ours_does():
    assert inspect.iscoroutinefunction(NatsBroker._connect), LOOK
    assert _parameters(NatsBroker._connect) == {"self"}, LOOK


def test_injection_is_marked_by_a_name_and_resolved_by_the_broker():
    broker = broker_of("nats://127.0.0.1:1")
    broker.context.set_global("service", "found")
    assert broker.config.fd_config.context.resolve(Injected("service").name) == "found", LOOK


async def test_the_test_broker_calls_our_process_message():
    async def shout(text: str) -> str:
        """Answer."""
        return text.upper() + "!"

    broker = broker_of("nats://127.0.0.1:1", shout)
    async with TestNatsBroker(broker):
        # FastStream itself would have made a number of it.
        assert (await broker.request(b"12345", "lfx.auth-service.test.0")).body == b"12345!", LOOK


def test_a_body_is_a_response():
    assert isinstance(ensure_response(b"x"), Response), LOOK


def test_subscribers_stay_though_they_are_held_weakly():
    async def handler(_: str) -> str:
        """Answer."""
        return ""

    broker = broker_of("nats://127.0.0.1:1", handler, handler)
    assert [subscriber.declaration.name for subscriber in broker.subject_subscribers] == ["test.0", "test.1"]
    assert set(broker.subject_subscribers) <= set(broker.subscribers), LOOK
    assert isinstance(NatsRouter(), Registrator), LOOK
