# SPDX-License-Identifier: MIT
"""docs/callers/errors.md has every error, once, with advice; the examples ask again on the very errors it names."""

from __future__ import annotations

import re

import pytest

from app.domain.errors import WIRES
from routers import subjects
from tests.docs.errors import PAGE, ROW, UNWRITTEN, advice
from tests.docs.text import TOP

PASSING = {"request timed out", "service is overloaded, try again later"}


def test_every_error_that_a_reply_can_carry_is_there():
    malformed = {subject.malformed for subject in subjects() if subject.malformed}
    assert set(advice()) == WIRES | malformed


def test_no_error_is_there_twice():
    found = [error for error, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(found) == len(set(found))


def test_every_error_has_advice():
    assert [error for error, told in advice().items() if told == UNWRITTEN] == []


def test_the_page_names_the_errors_that_pass():
    text = PAGE.read_text(encoding="utf-8")
    rule = text[text.index("Temporary errors") : text.index("are worth")]
    assert set(re.findall(r"`([^`]+)`", rule)) == PASSING


@pytest.mark.parametrize("page", ["python.md", "go.md", "node.md"])
def test_the_examples_ask_again_on_these(page):
    text = (TOP / "docs" / "callers" / page).read_text(encoding="utf-8")
    assert {error for error in advice() if f'"{error}"' in text} == PASSING
