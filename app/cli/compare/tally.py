# SPDX-License-Identifier: MIT
"""The results of all requests, in bounded memory however many there are."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.cli.compare.differences import Difference, Kind
from app.cli.compare.known import known

if TYPE_CHECKING:
    from app.cli.compare.answers import Answer
    from app.cli.compare.known import Known
    from app.cli.compare.masking import Mask
    from app.cli.compare.reads import Read, Request

_MOST_CLASSES: Final = 300
_STEP: Final = 1.05
"""Each step of the latencies that are counted is 5 % longer than the one before it, from a tenth of a millisecond."""
_SHORTEST: Final = 1e-4

_SLOWER: Final = 2.0
_SLOWER_BY: Final = 0.05
_ENOUGH: Final = 20
"""The new service is slower when its median is more than twice the old one's and 50 ms, of so many answers."""

_OFTEN: Final = 0.05
_OFTEN_FROM: Final = 3
"""Writes that come in between are rare: where more than 5 % of a subject differed for a moment, and three or more, it
is the service that says something else at first."""

_BY_WORDS: Final = (Kind.ERROR, Kind.OUTCOME, Kind.NO_ANSWER, Kind.FORM, Kind.TWICE)
"""Kinds of which those with other words are other classes."""

_WRITE_IN_BETWEEN: Final = (Kind.VALUE, Kind.TYPE, Kind.MISSING, Kind.FURTHER, Kind.NULL, Kind.ITEMS, Kind.ORDER)
"""In what two right answers differ when a user was changed between them."""


class Latencies:
    """How long answers took, to within 5 %."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._steps[max(0, math.ceil(math.log(max(seconds, _SHORTEST) / _SHORTEST, _STEP)))] += 1
        self.count += 1

    def quantile(self, share: float) -> float | None:
        """Return the seconds within which this share of the answers came; None when none did."""
        left = math.ceil(share * self.count)
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0:
                return _SHORTEST * _STEP**step
        return None


@dataclass
class Class:
    """Differences that are alike, with the first of them as their example."""

    read: Read
    kind: Kind
    where: str
    known: Known | None
    passing: bool
    asked: str
    old: str
    new: str
    count: int = 0
    often: bool = False
    """Whether it passed too often for writes that came in between."""

    @property
    def wanted(self) -> bool:
        """Whether it says nothing against the new service: known, or a write that came in between."""
        return self.known is not None or (self.passing and not self.often and self.kind in _WRITE_IN_BETWEEN)


@dataclass
class SubjectTally:
    """What came of one subject. `same`, `known` (nothing but known differences), `passing` and `differ` add up."""

    asked: int = 0
    same: int = 0
    known: int = 0
    passing: int = 0
    differ: int = 0
    old: Latencies = field(default_factory=Latencies)
    new: Latencies = field(default_factory=Latencies)

    @property
    def passing_often(self) -> bool:
        """Whether more differed for a moment than writes explain."""
        return self.passing >= _OFTEN_FROM and self.passing > _OFTEN * self.asked

    @property
    def slower(self) -> bool:
        """Whether the new service takes more than twice as long, where that can be felt."""
        old, new = self.old.quantile(0.5), self.new.quantile(0.5)
        enough = min(self.old.count, self.new.count) >= _ENOUGH
        return enough and old is not None and new is not None and new > _SLOWER * old + _SLOWER_BY


class Tally:
    """All of it."""

    def __init__(self, mask: Mask) -> None:
        """Take how examples are shown: what is kept of them is kept as it is shown."""
        self._mask = mask
        self.subjects: dict[Read, SubjectTally] = {}
        self.classes: dict[tuple[object, ...], Class] = {}
        self.more_classes = 0
        """Differences that fitted into no class, when there were too many of them."""

    @property
    def asked(self) -> int:
        """How many requests were asked of both."""
        return sum(subject.asked for subject in self.subjects.values())

    @property
    def differing(self) -> int:
        """How many got answers that differ in what is not known."""
        return sum(subject.differ for subject in self.subjects.values())

    def answered(self, request: Request, old: Answer, new: Answer) -> None:
        """Count how long the two took."""
        subject = self._subject(request.read)
        for answer, latencies in ((old, subject.old), (new, subject.new)):
            if not answer.fault:
                latencies.add(answer.seconds)

    def judged(self, request: Request, found: list[Difference], *, passing: bool = False) -> None:
        """Count in what the two differed; `passing`: a moment later they did not."""
        subject = self._subject(request.read)
        subject.asked += 1
        classes = [self._class(request, difference, passing=passing) for difference in found]
        if not found:
            subject.same += 1
        elif not all(one is not None and one.wanted for one in classes):
            subject.differ += 1
        elif passing:
            subject.passing += 1
        else:
            subject.known += 1

    def twice(self, request: Request, which: str) -> None:
        """Count a second reply to a request; `which` service sent it."""
        told = {"old": "one reply", "new": "one reply", which: "more than one reply"}
        self._class(request, Difference(Kind.TWICE, "", told["old"], told["new"]), passing=False)

    def close(self) -> None:
        """Count what shows only in all answers together."""
        for one in self.classes.values():
            one.often = self._subject(one.read).passing_often
        for read, subject in self.subjects.items():
            if subject.slower:
                old, new = (f"p50 {1000 * (one.quantile(0.5) or 0):.1f} ms" for one in (subject.old, subject.new))
                self.classes[read, Kind.LATENCY] = Class(
                    read,
                    Kind.LATENCY,
                    "",
                    known=None,
                    passing=False,
                    asked="all of them",
                    old=old,
                    new=new,
                    count=subject.asked,
                )

    def _subject(self, read: Read) -> SubjectTally:
        return self.subjects.setdefault(read, SubjectTally())

    def _class(self, request: Request, difference: Difference, *, passing: bool) -> Class | None:
        explained = known(request, difference)
        old, new = self._mask.difference(difference, request)
        words = (self._mask.words(old, request), self._mask.words(new, request))
        told = words if explained is None and difference.kind in _BY_WORDS else ()
        key = (request.read, difference.kind, difference.where, explained and explained.what, passing, told)
        if key not in self.classes:
            if len(self.classes) >= _MOST_CLASSES:
                self.more_classes += 1
                return None
            asked = self._mask.request(request)
            self.classes[key] = Class(
                request.read, difference.kind, difference.where, explained, passing, asked, old, new
            )
        found = self.classes[key]
        found.count += 1
        return found
