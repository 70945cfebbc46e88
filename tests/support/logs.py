# SPDX-License-Identifier: MIT
"""The service's log in a test, without an effect on the tests after it."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loguru import logger

from app.observability.logs import HEADER_LOGGERS, set_up_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.observability.logs import Sink


@contextmanager
def service_log(*given: Any, **more: Any) -> Iterator[Sink]:
    """Set up the log as the service does (`set_up_logs`); afterwards a failing test shows what was logged again."""
    with log_as_before():
        yield set_up_logs(*given, **more)


def is_set_up() -> bool:
    """Whether the log is the service's."""
    return any(type(handler).__module__ == set_up_logs.__module__ for handler in logging.root.handlers)


@contextmanager
def log_as_before() -> Iterator[None]:
    """Let what sets up the service's log meanwhile, as its commands do, have no effect on the tests after it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    levels = {name: logging.getLogger(name).level for name in HEADER_LOGGERS}
    try:
        yield
    finally:
        logger.remove()
        logger.configure(patcher=lambda _: None)
        logger.add(sys.stderr)
        logging.root.handlers[:], logging.root.level = handlers, level
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
