# SPDX-License-Identifier: MIT
"""What the tenant's answers are read as, whatever stands in them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers.auth0.tenant.answers import UNREADABLE, Answer
from providers.http import BrokenAnswer, TooMuch

READ = {
    b'{"a": [1, "x", null, true]}': {"a": [1, "x", None, True]},
    b"\xef\xbb\xbf[]": [],
    b"1e3": Decimal("1E+3"),
    b"0.10": Decimal("0.10"),
    b"1" * 64: int("1" * 64),
    b"1" * 65: UNREADABLE,
    b"0." + b"1" * 62: Decimal("0." + "1" * 62),
    b"0." + b"1" * 63: UNREADABLE,
    b"1e" + b"9" * 40: UNREADABLE,
    rb'"\ud83e\udd89"': "🦉",
    rb'"a\ud800b"': "a\ufffdb",
    rb'[{"\udfff": ["\ud800"]}]': [{"\ufffd": ["\ufffd"]}],
    rb'["\u0041", 5]': ["A", 5],
}


@pytest.mark.parametrize("body", READ, ids=lambda body: repr(body)[:30])
def test_json_is_read_with_every_digit_and_no_half_of_a_character(body):
    assert Answer(200, {}, body).json() == READ[body]


BROKEN = [b"", b"<html>", b"{", b"\xff", b"[NaN]", b"[Infinity]", b'["\xed\xa0\x80"]', b"[1]]"]


@pytest.mark.parametrize("body", BROKEN, ids=repr)
def test_what_is_no_json_is_told_as_such(body):
    with pytest.raises(BrokenAnswer, match=r"^no JSON$"):
        Answer(200, {}, body).json()
    assert Answer(200, {}, body).text_of("error") == ""


def nested(depth: int, inside: bytes = b"") -> bytes:
    return b"[" * depth + inside + b"]" * depth


def depth_of(value: object) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def test_what_is_nested_too_deep_is_null_from_level_65_on_and_the_rest_is_read():
    body = b'{"before": "[{", "deep": %s, "after": "]\\"]", "more": [[1]]}' % nested(40_000)
    content = Answer(200, {}, body).json()
    assert (content["before"], content["after"], content["more"]) == ("[{", ']"]', [[1]])
    inmost, levels = content["deep"], 1
    while inmost != [None]:
        (inmost,) = inmost
        levels += 1
    assert levels == 63  # the object is the 64th


def test_objects_are_levels_too_and_every_place_that_is_too_deep_is_null():
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    one, text, other = Answer(200, {}, b'[%s, "x", %s]' % (deep, deep)).json()
    assert (one, text) == (other, "x")
    levels = 0
    while isinstance(one, dict):
        one, levels = one["a"], levels + 1
    assert (one, levels) == (None, 63)


DEEP = {"open": b"[" * 50_000, "too deep": nested(60_000), "another end": nested(20_000)[:-1] + b"x"}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_too_deep_and_no_json_is_told_as_such(name):
    with pytest.raises(BrokenAnswer):
        Answer(200, {}, DEEP[name]).json()


@pytest.mark.parametrize(("values", "read"), [(49_999, True), (50_000, False)])
def test_about_fifty_thousand_values_are_read(values, read):
    answer = Answer(200, {}, b'{"a": [%s]}' % b",".join([b"1"] * values))
    if read:
        assert len(answer.json()["a"]) == values
    else:
        with pytest.raises(TooMuch, match=r"^too many values$"):
            answer.json()


BULK = {
    "numbers": b"[" + b"0," * 100_000 + b"0]",
    "arrays": b"[" + b"[]," * 100_000 + b"[]]",
    "texts": rb'["a\",[{ \ud83e\udd89",' + b'"",' * 100_000 + b"{}]",
}


@pytest.mark.parametrize("bulk", BULK)
@pytest.mark.parametrize("order", [(b"bulky", b"small"), (b"small", b"bulky"), (b"bulky", b"small", b"bulky")])
def test_entries_that_are_too_long_take_no_others_with_them(bulk, order):
    texts = {b"bulky": b'{"user_id": "x", "m": %s}' % BULK[bulk], b"small": b' {"user_id" : "a,]", "n": 1.10} '}
    body = b"\n[ %s ]\n" % b" , ".join(texts[name] for name in order)
    small = {"user_id": "a,]", "n": Decimal("1.10")}
    assert Answer(200, {}, body).json() == [small if name == b"small" else None for name in order]


def test_of_many_entries_the_shortest_are_read_as_far_as_they_are_not_too_much():
    body = b"[%s]" % b",".join(b"[%s]" % b",".join([b"1"] * size) for size in (30_000, 10_000, 40_000, 9_000))
    assert [entry and len(entry) for entry in Answer(200, {}, body).json()] == [30_000, 10_000, None, 9_000]


@pytest.mark.parametrize("end", [b"", b",", b"]]", b"] []", b";]", b"]}"])
def test_a_list_that_is_too_long_is_no_json_where_it_is_none(end):
    with pytest.raises(BrokenAnswer, match=r"^no JSON$"):
        Answer(200, {}, b"[{}," + BULK["numbers"] + end).json()


@pytest.mark.parametrize("body", [b"[" + b"0," * 600_000 + b"0]", b'"a" ' + BULK["numbers"], BULK["numbers"] * 7])
def test_what_is_far_too_much_or_no_list_is_not_looked_at(body):
    with pytest.raises(BrokenAnswer):
        Answer(200, {}, body).json()


def test_the_body_is_read_once():
    answer = Answer(200, {}, b'{"a": 1}')
    assert answer.json() is answer.json()


@pytest.mark.parametrize(
    ("body", "error"), [(b"{", BrokenAnswer), (b"[" * 70_000, BrokenAnswer), (b"{}," * 60_000, TooMuch)]
)
def test_a_body_that_cannot_be_read_is_tried_once(body, error):
    class Body(bytes):
        tried = 0

        def decode(self, *how):
            self.tried += 1
            return super().decode(*how)

    body = Body(body)
    answer = Answer(403, {}, body)
    assert not answer.text_of("error", "message")
    for _ in range(3):
        with pytest.raises(BrokenAnswer) as raised:
            answer.json()
        assert type(raised.value) is error
    assert body.tried == 1


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (204, True), (299, True), (300, False), (404, False)]
)
def test_a_success_has_a_status_from_200_to_299(status, ok):
    assert Answer(status).ok is ok


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": "invalid_grant", "error_description": "no", "x": "y"}', "invalid_grant no"),
        (b'{"error_description": "no"}', "no"),
        (b'{"error": 5, "error_description": ["no"]}', ""),
        (b'{"error": "%s", "error_description": "no"}' % (b"a" * 1_000 + b"b"), "a" * 1_000 + " no"),
        (b"[]", ""),
        (b'"error"', ""),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_texts_of_a_refusal(body, text):
    assert Answer(400, {}, body).text_of("error", "error_description") == text
