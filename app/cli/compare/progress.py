# SPDX-License-Identifier: MIT
"""Shows the progress on standard error if that is a terminal, and nothing elsewhere."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import RawIOBase

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from app.cli.compare.tally import Tally

_EVERY: Final = 0.25
"""Seconds."""


class Progress:
    """A bar, or nothing."""

    def __init__(self, tally: Tally, file: RawIOBase | None, seconds: float, bar: Bar | None) -> None:
        """Take what is counted, what there is to be done, and the bar, where there is one."""
        self._tally, self._file, self._seconds, self._bar = tally, file, seconds, bar
        self._began = time.monotonic()
        self._task: TaskID | None = None
        if bar is not None:
            self._task = bar.add_task("comparing", total=seconds or _size(file), differ=0, asked=0)

    async def tick(self) -> None:
        """Move the bar until cancelled."""
        while self._bar is not None and self._task is not None:
            done = time.monotonic() - self._began if self._seconds else _place(self._file)
            tally = self._tally
            self._bar.update(self._task, completed=done, asked=tally.asked, differ=tally.differing)
            await asyncio.sleep(_EVERY)


@contextmanager
def progress(file: RawIOBase | None, seconds: float, tally: Tally) -> Iterator[Progress]:
    """Show a bar while the context lasts: by the time to listen, or by how much of the file is read."""
    if sys.stderr is None or not sys.stderr.isatty():  # None: it was closed before the command began
        yield Progress(tally, file, seconds, None)
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - the same
    from rich.progress import Progress as Bar  # noqa: PLC0415 - the same

    counts = TextColumn("{task.fields[asked]} asked, {task.fields[differ]} differ")
    with Bar(BarColumn(), counts, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        yield Progress(tally, file, seconds, bar)


def _size(file: RawIOBase | None) -> float | None:
    """Return the bytes of a file; None of what has no size, such as a pipe."""
    found = os.fstat(file.fileno()) if file else None
    return found.st_size if found and stat.S_ISREG(found.st_mode) else None


def _place(file: RawIOBase | None) -> float:
    return file.tell() if file is not None and _size(file) is not None else 0
