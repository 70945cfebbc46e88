# SPDX-License-Identifier: MIT
"""What all tests share: a clean environment, a nats-server, the service in this process, Hypothesis's profile."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from app.cli.dev.nats_server import NatsServer
from tests.support.logs import is_set_up
from tests.support.ports import nats_server
from tests.support.sayable import make_sayable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# The same examples every time, few enough to be quick, and no clock: another process may have the processor. Here, and
# not beside the tests that need it, so that it holds whichever of them are chosen.
settings.register_profile(
    "quick",
    derandomize=True,
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")

# What a script starts with `&` ignores what a terminal sends, and so would each process of a test.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

_OURS = (
    "NATS_",
    "AUTH0_",
    "AUTHELIA_",
    "EMAIL_",
    "OTEL_",
    "LOG_",
    "MAX_",
    "MOCK_",
    "USER_REPOSITORY_TYPE",
    "REQUEST_TIMEOUT",
    "PORT",
    "SUBJECT_PREFIX",
    "READ_",
    "QUEUE_GROUP",
    "BIND",
    "ALLOWED_ALIAS",
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whatever a failing test has logged or compared, its report can be sent to the process that shows it."""
    report = yield
    make_sayable(report)
    return report


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_log_is_left() -> Iterator[None]:
    """A test that leaves the service's log set up changes what later ones see of theirs: it fails itself."""
    before = is_set_up()
    yield
    assert is_set_up() == before


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """A nats-server for the whole session."""
    with nats_server() as server:
        yield server
