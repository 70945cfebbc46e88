# SPDX-License-Identifier: MIT
"""Writes lines where somebody may have stopped reading: to write there would stop whoever writes."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

MOST_WAITING: Final = 1024 * 1024
"""Bytes that wait for a reader; what comes then is lost."""

_READ_WITHIN: Final = 0.3
"""Seconds for which what waits may still be read when the process ends."""


class Output:
    """A stream, its lines in the order in which they came. Nobody but a thread of its own ever waits for a reader.

    A pipe, a socket or a terminal takes `PIPE_BUF` bytes without waiting when poll(2) says that it can be written to.
    What is longer, or comes while it takes nothing, waits in memory for the thread.
    """

    def __init__(self, stream: TextIO, note: Callable[[int], str]) -> None:
        """Take the stream, and what makes the line that tells how many lines were lost."""
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.lost = 0
        self._stream = stream
        self._note = note
        self._untold = 0
        self._lock = threading.RLock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._thread: threading.Thread | None = None
        self._room: select.poll | None = None
        # A stream without a file, as tests have it, is never full. Neither is a file, and some systems have no poll(2).
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                self._room = select.poll()
                self._room.register(stream, select.POLLOUT)

    def write(self, line: str) -> None:
        """Write a line, now or as soon as somebody reads. Raises nothing when nobody reads any more."""
        # What the stream's encoding does not have, and bytes that are no UTF-8, are written as escapes.
        data = f"{line}\n".encode(self.encoding, "backslashreplace")
        with self._lock, contextlib.suppress(OSError, ValueError, RuntimeError):  # the last: no thread can be started
            if self._room is None:
                self._stream.write(data.decode(self.encoding))
                self._stream.flush()
            elif self._thread is None and len(data) <= select.PIPE_BUF and self._room.poll(0):
                self._stream.flush()  # what others have written there
                os.write(self._stream.fileno(), data)
            else:
                self._keep(data)

    def settle(self, within: float = _READ_WITHIN) -> None:
        """Wait until what waits is written, for so many seconds at most: to be called before the process ends."""
        if (thread := self._thread) is not None:
            thread.join(within)

    def _keep(self, data: bytes) -> None:
        if self._size + len(data) > MOST_WAITING:
            self.lost += 1
            self._untold += 1
            return
        self._size += len(data)
        self._waiting.append(data)
        if self._thread is None:
            thread = threading.Thread(target=self._write_out, name="log", daemon=True)
            thread.start()  # it waits for the lock
            self._thread = thread

    def _write_out(self) -> None:
        assert self._room is not None  # noqa: S101 - for the type checker
        while data := self._next():
            with contextlib.suppress(OSError, ValueError):
                for begin in range(0, len(data), select.PIPE_BUF):
                    self._room.poll()
                    os.write(self._stream.fileno(), data[begin : begin + select.PIPE_BUF])

    def _next(self) -> bytes:
        """Return what is to be written next; when that is nothing, the thread is over."""
        with self._lock:
            if self._waiting:
                data = self._waiting.popleft()
                self._size -= len(data)
            elif self._untold:
                data = f"{self._note(self._untold)}\n".encode(self.encoding, "backslashreplace")
                self._untold = 0
            else:
                data, self._thread = b"", None
            return data
