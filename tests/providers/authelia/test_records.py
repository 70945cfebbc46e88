# SPDX-License-Identifier: MIT
"""Records with odd fields: each is read by itself."""

from __future__ import annotations

import pytest

from providers.authelia.storage import records
from providers.authelia.storage.social import without_social


@pytest.mark.parametrize(
    ("stored", "read"),
    [("98765", "98765"), (98765, "98765"), (True, ""), (None, ""), (["98765"], ""), ({"a": 1}, ""), (1.5, "")],
)
def test_the_identifier_of_an_identity_is_a_text_or_a_whole_number(stored, read):
    record = {"identities": [{"provider": "github", "identity_id": stored}, {"provider": "github", "identity_id": "1"}]}
    assert [one.identity_id for one in records.user("ada", record).identities] == [read, "1"]
    assert without_social(record, "github", read)["identities"] == [{"provider": "github", "identity_id": "1"}]
