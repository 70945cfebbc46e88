# SPDX-License-Identifier: MIT
"""What is fuzzed: each target reads some bytes, and raises nothing but what breaks a promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.targets import bodies, files, nats, settings, texts, tokens, upstream
from tests.support.costs import MIB


@dataclass(frozen=True)
class Target:
    """Something that reads bytes."""

    read: Callable[[bytes], object]
    repeated: int = MIB
    """Bytes up to which an input is repeated, to see what it costs when there is more of it; 0: not at all."""


TARGETS = {
    "addresses": Target(texts.addresses),
    "answers": Target(upstream.answers),
    "bodies": Target(bodies.read),
    "nats": Target(nats.read),
    "redaction": Target(texts.redaction),
    "search": Target(texts.search),
    "settings": Target(settings.read, repeated=0),  # read once, before anybody waits; the system bounds a variable
    "tokens": Target(tokens.read),
    "users-files": Target(files.read, repeated=0),  # read beside the event loop, or before it
}
