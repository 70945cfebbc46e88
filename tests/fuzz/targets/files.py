# SPDX-License-Identifier: MIT
"""Users files: the mock's, and Authelia's, which is changed as well."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from app.settings import ConfigurationError
from providers.authelia.cluster.users_file import BadUsersFile, UsersFile, WantedUser
from providers.mock.users_file import load_users

FILE = Path(tempfile.mkdtemp(prefix="fuzz-")) / "users.yaml"
EMAIL = "new@example.org"


def read(data: bytes) -> None:
    """Both readers get the text."""
    FILE.write_bytes(data)
    with contextlib.suppress(ConfigurationError):
        for entry, token in load_users(FILE):
            assert entry.user.user_id
            assert isinstance(token, str)
    with contextlib.suppress(BadUsersFile):
        _change(data.decode("utf-8", "ignore"))


def _change(text: str) -> None:
    file = UsersFile(text)
    assert file.text() == text
    names = file.usernames()
    for name in names:
        file.describe(name)
    wanted = {name: WantedUser(EMAIL, "") for name in names[::2]}
    file.reconcile(wanted)
    added = "new" + "x" * max(map(len, names), default=0)
    file.add(added, WantedUser(EMAIL, "New"), "$2b$12$x")
    changed = UsersFile(file.text())
    assert set(changed.usernames()) == {*names, added}
    for name in (*wanted, added):
        assert changed.describe(name)[0] == EMAIL
