# SPDX-License-Identifier: MIT
"""What of a stream of events goes on: plain events, whatever comes."""

from __future__ import annotations

import json

import pytest

from providers.auth0.events.sieve import Sieve, TooLong

USER = {"user_id": "auth0|ada", "email": "ada@example.org", "identities": []}


def said(stream, size=None):
    """Return kind and content of all events that go on, the stream cut into pieces of that size."""
    sieve, size = Sieve(), size or len(stream)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    out = b"".join(event for piece in pieces for event in sieve.feed(piece))
    blocks = [block.split("\n") for block in out.decode().split("\n\n") if block]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


def event(user, kind="user.updated", end="\n"):
    content = json.dumps({"offset": "o1", "event": {"type": kind, "data": {"object": user}}})
    return f"event: {kind}{end}id: o1{end}data: {content}{end}{end}".encode()


def who(stream, size=None):
    return [content["event"]["data"]["object"]["user_id"] for _, content in said(stream, size)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_an_event_goes_on_however_it_is_cut(end, size):
    assert who(event(USER, end=end) + event({"user_id": "auth0|bob"}, end=end), size) == ["auth0|ada", "auth0|bob"]


@pytest.mark.parametrize("size", [1, 2, 4096])
def test_the_mark_that_a_stream_may_begin_with_takes_no_event(size):
    mark = b"\xef\xbb\xbf"
    assert who(mark + event(USER) + event({"user_id": "auth0|bob"}), size) == ["auth0|ada", "auth0|bob"]
    assert who(event(USER) + mark + event({"user_id": "auth0|bob"})) == ["auth0|ada"]


def test_comments_retries_and_other_events_do_not_go_on():
    assert said(b":connected\n\nretry: 2000\n\n" + event(USER, "group.created") + b": heartbeat\n\n") == []


def test_a_place_goes_on():
    offset = b'event: offset-only\nid: o2\ndata: {"offset": "o2"}\n\n'
    assert said(offset) == [("offset-only", {"offset": "o2"})]


@pytest.mark.parametrize("odd", ["\udfff", "é", "a b\n", "\x00", "x" * 2049, 5, None, ["\ud800"], {}])
def test_a_place_that_fits_no_address_does_not_go_on(odd):
    data = json.dumps({"offset": odd}).encode()
    assert said(b"event: offset-only\ndata: " + data + b"\n\n") == [("offset-only", {"offset": ""})]
    behind = said(b"event: offset-only\nid: \xff\xfe\nid: o2\ndata: " + data + b"\n\n")
    assert behind == [("offset-only", {"offset": "o2"})]


@pytest.mark.parametrize(
    "odd",
    [
        {"email": 5},
        {"email": None, "identities": "none"},
        {"identities": [5, None, {"profileData": "x"}, {"profileData": {"email": []}}]},
        {"user_metadata": {"x" * 1000: [1] * 5000}},
        {"created_at": "yesterday", "multifactor": "x", "blocked": "maybe"},
    ],
)
def test_odd_fields_take_nothing_from_the_others(odd):
    assert who(event({**USER, **odd}) + event({"user_id": "auth0|bob"})) == ["auth0|ada", "auth0|bob"]


@pytest.mark.parametrize("user_id", [5, None, "", "x" * 513, {"id": "x"}, "auth0|\ud800"])
def test_a_user_who_cannot_be_told_goes_on_as_unknown(user_id):
    assert who(event({**USER, "user_id": user_id}) + event(USER)) == ["?", "auth0|ada"]


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"[" + b"1," * 200_000 + b"1]", b"\xff\xfe", b"9" * 100_000])
def test_what_is_no_event_goes_on_as_unknown_and_harms_nothing_beside_it(data):
    assert who(b"event: user.updated\ndata: " + data + b"\n\n" + event(USER)) == ["?", "auth0|ada"]


def test_addresses_are_bounded():
    many = [{"profileData": {"email": f"a{number}@example.org"}} for number in range(100)]
    ((_, content),) = said(event({**USER, "identities": many}))
    assert len(content["event"]["data"]["object"]["identities"]) == 17


@pytest.mark.parametrize("piece", [b"a" * 65_536, b"data: " + b"a" * 60_000 + b"\n"])
def test_what_has_no_end_is_cut(piece):
    sieve = Sieve()
    for _ in range(15):
        list(sieve.feed(piece))
    with pytest.raises(TooLong):
        [event for _ in range(3) for event in sieve.feed(piece)]
