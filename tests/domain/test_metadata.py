# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.errors import Fault, UpdateFailed
from app.domain.metadata import Metadata, is_too_long, known, tidy, tidy_skills
from app.domain.users import UserMetadata

FIELDS = [
    "picture",
    "zoneinfo",
    "name",
    "given_name",
    "family_name",
    "job_title",
    "organization",
    "organization_domain",
    "country",
    "state_province",
    "city",
    "address",
    "postal_code",
    "phone_number",
    "t_shirt_size",
    "bio",
    "skills",
]
skills = st.lists(st.text("aAbBß ,\t🦉", max_size=30), max_size=80).map(",".join)
values = st.none() | st.text(max_size=30)


@given(skills)
@example("x" * 5_000)
@example(",".join(f"skill {n} " + "y" * 100 for n in range(60)))
@example("a" * 1_999 + " b")
@example("Straße, STRASSE, strasse")
def test_skills_are_a_tidy_list(text):
    tidied = tidy_skills(text)
    items = tidied.split(", ") if tidied else []
    assert len(tidied) <= 2_000
    assert len(items) <= 50
    assert all(item and item == item.strip() for item in items)
    assert len({item.casefold() for item in items}) == len(items)


@given(skills)
def test_tidy_skills_stay_as_they_are(text):
    assert tidy_skills(tidy_skills(text)) == tidy_skills(text)


@given(skills.filter(lambda text: len(text) < 1_000 and text.count(",") < 40))
def test_of_a_short_list_every_skill_is_kept_once_in_its_order(text):
    expected: list[str] = []
    for item in (part.strip() for part in text.split(",")):
        if item and item.casefold() not in [kept.casefold() for kept in expected]:
            expected.append(item)
    assert tidy_skills(text) == ", ".join(expected)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (",".join(f"s{n}" for n in range(60)), ", ".join(f"s{n}" for n in range(50))),
        ("a" * 1_000 + "," + "b" * 998, "a" * 1_000 + ", " + "b" * 998),
        ("a" * 1_000 + "," + "b" * 999 + ",c", "a" * 1_000),
        ("x" * 5_000, "x" * 2_000),
        ("x" * 1_999 + " y", "x" * 1_999),
        ("a," * 1_999 + "bc", "a, bc"),
        ("a," * 1_999 + "bcd", "a, bc"),
        ("Go, go, GO, Rust", "Go, Rust"),
    ],
)
def test_of_a_long_list_50_skills_and_2000_characters_are_kept(sent, kept):
    assert tidy_skills(sent) == kept


@pytest.mark.parametrize(
    ("value", "too_long"),
    [
        ("a" * 49_150, False),
        ("a" * 49_151, True),
        ("é" * 24_575, False),
        ("é" * 24_575 + "a", True),
        ('"' * 24_575, False),
        ('"' * 24_576, True),
        ("\ud800" * 16_383, False),
        ("\ud800" * 16_384, True),
        ("a" * 2**20, True),
    ],
    ids=lambda value: f"{len(value)} {value[0]!a}" if isinstance(value, str) else str(value),
)
def test_a_field_may_take_48_kib_as_it_stands_in_json(value, too_long):
    assert is_too_long(value) is too_long


async def test_a_field_that_is_too_long_is_the_callers_fault():
    class Anybody:
        async def verify(self, token: str, *, scope: str) -> str:
            return f"{token} may {scope}"

    metadata = Metadata(Anybody(), None, None, None, None)
    with pytest.raises(UpdateFailed) as raised:
        await metadata.update("token", {"name": "a" * 49_151})
    assert raised.value.fault is Fault.CALLER


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown", "Name", ""]), values))
def test_only_known_fields_that_are_present_are_left_and_trimmed(change):
    tidied = tidy(change)
    assert set(tidied) == {key for key, value in change.items() if key in FIELDS and value is not None}
    assert all(value == value.strip() for value in tidied.values())
    assert all(tidied[key] == (change[key] or "").strip() for key in tidied if key not in ("bio", "skills"))


@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_what_is_tidy_stays_as_it_is(change):
    assert tidy(tidy(change)) == tidy(change)


@given(st.text("a🦉é", min_size=1_990, max_size=2_010))
def test_a_bio_is_cut_by_code_points(bio):
    assert tidy({"bio": bio}) == {"bio": bio[:2_000]}


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown"]), values | st.integers() | st.lists(st.text())))
def test_what_is_told_of_stored_metadata_are_known_strings(stored):
    assert known(stored) == {key: value for key, value in stored.items() if key in FIELDS and isinstance(value, str)}


def test_the_model_has_exactly_the_fields_of_the_contract():
    assert list(UserMetadata.model_fields) == FIELDS
