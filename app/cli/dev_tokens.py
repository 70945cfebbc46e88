# SPDX-License-Identifier: MIT
"""The tokens of the users of a running `auth-service dev`, for `auth-service request` of the same person.

They lie in a file that only that person may read, named after the port of the NATS server that `dev` has started. So
nothing that serves can be asked for tokens, and no other service's users are in it.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_HERE: Final = ("localhost", "127.0.0.1", "::1")
_NATS_PORT: Final = 4222
_MAX_BYTES: Final = 16 * 1024 * 1024
_OTHERS: Final = 0o077


@contextmanager
def offered(nats_url: str, tokens: Mapping[str, str]) -> Iterator[None]:
    """Let `request` find tokens, by name, as long as the context lasts. Raises OSError."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder.lstat()):
        raise OSError(f"{folder} belongs to somebody else or can be read by others: remove it")
    file = folder / _name(nats_url)
    file.unlink(missing_ok=True)  # of one that was killed
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        json.dump({"pid": os.getpid(), "tokens": dict(tokens)}, written)
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
            folder.rmdir()  # unless another one runs


def known(servers: Iterable[str]) -> dict[str, str] | None:
    """Return the tokens, by name, of the `dev` that runs on one of these NATS servers; None if none does."""
    for server in servers:
        if (name := _name(server)) and (tokens := _read(_folder() / name)) is not None:
            return tokens
    return None


def _folder() -> Path:
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(own if Path(own).is_dir() and own else tempfile.gettempdir()) / f"auth-service-dev-{os.getuid()}"


def _name(server: str) -> str:
    """Return the name of the file for a NATS server on this machine, an empty one for any other."""
    try:
        url = urlsplit(server if "://" in server else f"nats://{server}")
        port = url.port or _NATS_PORT
    except ValueError:
        return ""
    return f"{port}.json" if url.hostname in _HERE else ""


def _read(file: Path) -> dict[str, str] | None:
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as opened:
            if not (_is_private(file.parent.lstat()) and _is_private(os.fstat(opened.fileno()))):
                return None
            content = json.loads(opened.read(_MAX_BYTES))
        os.kill(content["pid"], 0)  # it still runs
        tokens = content["tokens"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {str(name): str(token) for name, token in tokens}


def _is_private(found: os.stat_result) -> bool:
    of_a_kind = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    return of_a_kind and found.st_uid == os.getuid() and not found.st_mode & _OTHERS
