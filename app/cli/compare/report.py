# SPDX-License-Identifier: MIT
"""The report: as data, and what a person reads of it on a terminal or in Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from app.cli.terminal import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from app.cli.compare.tally import Class, Latencies, Tally

_COLUMNS: Final = ("subject", "asked", "same", "known", "passing", "differ", "old p50/p99 ms", "new p50/p99 ms")


class Form(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class Verdict(StrEnum):
    """What it comes to."""

    SAME = "both say the same"
    KNOWN = "nothing differs but what is known"
    DIFFERENT = "they differ"
    NOTHING = "nothing was compared"


@dataclass(frozen=True)
class Course:
    """What there is to say of a comparison beside what was counted."""

    old: str
    new: str
    seconds: float
    left_out: int
    passed: Mapping[str, int]
    cut_short: str = ""
    """Why it ended before its time; empty when it did not."""
    refused: tuple[str, ...] = ()
    """What NATS refused, in its own words."""


def report(tally: Tally, course: Course) -> dict[str, Any]:
    """Return the report as JSON has it: counts, latencies in milliseconds, classes with the most frequent first."""
    classes = sorted(tally.classes.values(), key=lambda one: (one.wanted, -one.count))
    return {
        "verdict": str(_verdict(tally)),
        "old": course.old,
        "new": course.new,
        "seconds": round(course.seconds, 1),
        "cut_short": course.cut_short,
        "refused": list(course.refused),
        "asked": tally.asked,
        "left_out": course.left_out,
        "passed_by": dict(sorted(course.passed.items())),
        "subjects": [
            {
                "subject": str(read),
                "asked": subject.asked,
                "same": subject.same,
                "known": subject.known,
                "passing": subject.passing,
                "differ": subject.differ,
                "old": _latency(subject.old),
                "new": _latency(subject.new),
            }
            for read, subject in sorted(tally.subjects.items())
        ],
        "differences": [_difference(one) for one in classes],
        "further_differences": tally.more_classes,
    }


def _verdict(tally: Tally) -> Verdict:
    if not tally.asked:
        return Verdict.NOTHING
    if tally.more_classes or not all(one.wanted for one in tally.classes.values()):
        return Verdict.DIFFERENT
    return Verdict.KNOWN if tally.classes else Verdict.SAME


def _latency(latencies: Latencies) -> dict[str, float | None]:
    shares = {"p50_ms": latencies.quantile(0.5), "p99_ms": latencies.quantile(0.99)}
    return {name: None if seconds is None else round(1000 * seconds, 1) for name, seconds in shares.items()}


def _difference(one: Class) -> dict[str, Any]:
    return {
        "subject": str(one.read),
        "kind": str(one.kind),
        "where": one.where,
        "count": one.count,
        "wanted": one.wanted,
        "known": one.known.what if one.known else None,
        "passing": one.passing,
        "example": {"asked": one.asked, "old": one.old, "new": one.new},
    }


def written(found: dict[str, Any], form: Form) -> str:
    """Return the report in a form."""
    if form is Form.JSON:
        return json.dumps(found, indent=2, ensure_ascii=False)
    blocks = _markdown(found) if form is Form.MARKDOWN else _text(found)
    return "\n\n".join(blocks)


def _text(found: dict[str, Any]) -> Iterator[str]:
    yield _head(found)
    if found["subjects"]:
        yield table([_COLUMNS, *_rows(found)], indent="")
    for title, ones in _sections(found):
        yield "\n".join([f"{title}:", *(f"  {line}" for one in ones for line in _lines(one))])
    yield from _remarks(found)
    yield f"{found['verdict'].capitalize()}."


def _markdown(found: dict[str, Any]) -> Iterator[str]:
    yield f"# {found['verdict'].capitalize()}"
    yield _head(found)
    if found["subjects"]:
        yield _grid(_COLUMNS, _rows(found))
    for title, ones in _sections(found):
        yield f"## {title}"
        columns = ("subject", "differs in", "where", "how often", "known", "asked", "old", "new")
        yield _grid(columns, ((*_names(one), *one["example"].values()) for one in ones))
    yield from _remarks(found)


def _head(found: dict[str, Any]) -> str:
    return f"{found['asked']} requests in {found['seconds']:g} s; old: {found['old']}; new: {found['new']}"


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in found["subjects"]:
        counts = [str(one[name]) for name in ("subject", "asked", "same", "known", "passing", "differ")]
        yield (*counts, *(_pair(one[which]) for which in ("old", "new")))


def _pair(latency: dict[str, float | None]) -> str:
    return "/".join("-" if value is None else f"{value:g}" for value in latency.values())


def _sections(found: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    unknown = [one for one in found["differences"] if not one["wanted"]]
    explained = [one for one in found["differences"] if one["known"]]
    passing = [one for one in found["differences"] if one["wanted"] and not one["known"]]
    sections = (
        ("What differs and is not known", unknown),
        ("What differs and is known (docs/operations/upgrade.md)", explained),
        ("What differed, and a second later did not", passing),
    )
    yield from ((title, ones) for title, ones in sections if ones)


def _names(one: dict[str, Any]) -> tuple[str, ...]:
    return one["subject"], one["kind"], one["where"], str(one["count"]), one["known"] or ""


def _lines(one: dict[str, Any]) -> Iterator[str]:
    where = f" at {one['where']}" if one["where"] else ""
    passing = ", and a second later did not" if one["passing"] else ""
    yield f"{one['subject']}: {one['kind']}{where}, {one['count']} times{passing}"
    if one["known"]:
        yield f"    known: {one['known']}"
    example = one["example"]
    yield f"    asked {example['asked']}"
    yield f"    old: {example['old']}"
    yield f"    new: {example['new']}"


def _remarks(found: dict[str, Any]) -> Iterator[str]:
    if found["further_differences"]:
        yield f"{found['further_differences']} more differences fitted into no class."
    if found["left_out"]:
        yield f"{found['left_out']} requests were not asked: too many at once for the rate, too long, or too late."
    if found["passed_by"]:
        passed = ", ".join(f"{name} {count}" for name, count in found["passed_by"].items())
        yield f"Seen, but not repeated: {passed}."
    for refused in found["refused"]:
        yield f"NATS refused: {refused}."
    if found["cut_short"]:
        yield f"It ended early: {found['cut_short']}."


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return a text that cannot end its cell, nor be taken for markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#~!" else c for c in text)
