# SPDX-License-Identifier: MIT
"""Property tests of the domain: the same examples every time, and few enough to be quick."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick",
    derandomize=True,
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")
