# SPDX-License-Identifier: MIT
"""Options of the chart's tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="write the golden files of the chart anew")
