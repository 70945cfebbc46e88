# SPDX-License-Identifier: MIT
"""Run a command while no other is run so in this folder: `python .ci/alone.py COMMAND…`.

Two makes that install into .venv at once would spoil it. The lock is one on the folder itself, so no file is left. The
command inherits it: the lock is free when the command and what it has started have ended, in whatever way. On a file
system without such locks (NFS) the command is run all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys


def main() -> None:
    """Become the command on the command line as soon as the lock is held."""
    folder = os.open(".", os.O_RDONLY)
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make, which installs here …", file=sys.stderr, flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
    os.set_inheritable(folder, True)  # noqa: FBT003 - it takes no keyword
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the Makefile's words, as they are


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
