# SPDX-License-Identifier: MIT
"""The Events API of the stand-in, as Auth0 documents it, read by a plain HTTP client."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress

import httpx
import pytest

CONNECTED = [":connected", "", "retry: 2000", ""]


@pytest.fixture(autouse=True)
def _granted(tenant):
    tenant.offer_events()
    tenant.events.heartbeat = 60.0


@pytest.fixture
def stream(api):
    """Open a stream; returns its lines, behind what every stream begins with."""
    token = api.m2m().json()["access_token"]

    @contextmanager
    def opened(headers=None, **params):
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        with api.http.stream("GET", "/api/v2/events", headers=headers, params=params, timeout=10) as reply:
            assert reply.status_code == 200, reply.read()
            assert reply.headers["content-type"] == "text/event-stream"
            lines = reply.iter_lines()
            assert [next(lines) for _ in CONNECTED] == CONNECTED
            yield lines

    return opened


def message(lines):
    """Return type, offset and content of the next message."""
    read = {}
    while not read:
        for line in lines:
            if not line:
                break
            name, _, value = line.partition(": ")
            read[name] = value
        read.pop("", None)
    return read["event"], read["id"], json.loads(read["data"])


def refused(api, **params):
    reply = api.call("GET", "/events", params=params)
    return reply.status_code, reply.json().get("errorCode")


def test_changes_by_the_api_and_by_hand_are_told_in_their_order(api, stream, tenant):
    with stream() as lines:
        api.call("PATCH", "/users/auth0%7Cada", json={"nickname": "Countess"})
        tenant.add_user("auth0|new", email="new@example.org")
        api.call("DELETE", "/users/auth0%7Cnew")
        told = [message(lines) for _ in range(3)]
    assert [kind for kind, _, _ in told] == ["user.updated", "user.created", "user.deleted"]
    assert [content["event"]["data"]["object"]["user_id"] for *_, content in told] == [
        "auth0|ada",
        "auth0|new",
        "auth0|new",
    ]
    assert all(content["offset"] == offset for _, offset, content in told)
    assert told[0][2]["event"]["type"] == "user.updated"
    assert told[0][2]["event"]["data"]["object"]["nickname"] == "Countess"
    assert "deleted_at" in told[2][2]["event"]["data"]["object"]


def test_only_the_types_asked_for_are_told(api, stream, tenant):
    with stream(event_type=["user.created", "user.deleted"]) as lines:
        api.call("PATCH", "/users/auth0%7Cada", json={"nickname": "Countess"})
        tenant.add_user("auth0|new")
        assert message(lines)[0] == "user.created"
    assert refused(api, event_type="user.sneezed") == (400, "invalid_query_string")


@pytest.mark.parametrize("way", ["from", "Last-Event-ID"])
def test_a_stream_goes_on_behind_an_offset(stream, tenant, way):
    for number in range(3):
        tenant.add_user(f"auth0|new{number}")
    first = tenant.events.offset(1)
    how = {"from": first} if way == "from" else {"headers": {"Last-Event-ID": first}}
    with stream(**how) as lines:
        told = [message(lines)[2]["event"]["data"]["object"]["user_id"] for _ in range(2)]
    assert told == ["auth0|new1", "auth0|new2"]


def test_the_header_goes_before_the_parameter(stream, tenant):
    for number in range(3):
        tenant.add_user(f"auth0|new{number}")
    with stream(headers={"Last-Event-ID": tenant.events.offset(2)}, **{"from": tenant.events.offset(0)}) as lines:
        assert message(lines)[2]["event"]["data"]["object"]["user_id"] == "auth0|new2"


def test_a_time_stands_for_an_offset(stream, tenant):
    tenant.add_user("auth0|new")
    with stream(from_timestamp="2020-01-01T00:00:00Z") as lines:
        assert message(lines)[2]["event"]["data"]["object"]["user_id"] == "auth0|new"


def test_without_an_offset_it_starts_at_the_end(api, stream, tenant):
    tenant.add_user("auth0|before")
    with stream() as lines:
        api.call("PATCH", "/users/auth0%7Cada", json={"nickname": "Countess"})
        assert message(lines)[2]["event"]["data"]["object"]["user_id"] == "auth0|ada"


def test_offsets_move_on_while_nothing_happens(stream, tenant):
    tenant.events.heartbeat = 0.1
    tenant.add_user("auth0|before")
    with stream() as lines:
        kind, offset, content = message(lines)
    assert (kind, content) == ("offset-only", {"offset": offset})
    assert offset == tenant.events.offset(1)


def test_a_connection_is_closed_on_purpose(stream, tenant):
    with stream() as lines:
        tenant.events.close_all()
        assert list(lines) == []
    tenant.events.closes_after = 0.1
    with stream() as lines:
        assert list(lines) == []


def test_an_offset_that_is_too_old_or_none_is_refused(api, tenant):
    tenant.add_user("auth0|new")
    old = tenant.events.offset(1)
    tenant.events.expire()
    assert refused(api, **{"from": old}) == (410, "cursor_expired")
    assert refused(api, **{"from": "nonsense"}) == (400, "invalid_cursor")


def test_it_takes_a_scope_of_its_own(api, tenant):
    tenant.tokens.m2m_scopes = ("read:users",)
    assert refused(api) == (403, "insufficient_scope")
    assert api.http.get("/api/v2/events").status_code == 401


def test_there_are_as_many_connections_as_the_plan_says(api, stream):
    with stream():
        assert refused(api) == (429, "too_many_connections")


class TestTheBucketOfCalls:
    def test_a_burst_is_taken_and_then_refused_with_the_headers_of_all_answers(self, api, tenant):
        api.call("GET", "/users/auth0%7Cada")
        tenant.limits.fill(0.001, burst=3)
        replies = [api.call(method, "/users/auth0%7Cada", json={"nickname": "x"}) for method in ("GET", "PATCH", "GET")]
        replies.append(api.call("GET", "/users/auth0%7Cada"))
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert [reply.headers["x-ratelimit-limit"] for reply in replies] == ["3"] * 4
        assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["2", "1", "0", "0"]
        assert all(reply.headers["x-ratelimit-reset"].isdecimal() for reply in replies)

    def test_it_is_filled_again(self, api, tenant):
        now = tenant.now()
        tenant.clock, clock = (lambda: now), tenant.clock
        try:
            api.call("GET", "/users/auth0%7Cada")
            tenant.limits.fill(10, burst=1)
            assert api.call("GET", "/users/auth0%7Cada").status_code == 200
            assert api.call("GET", "/users/auth0%7Cada").status_code == 429
            now += 0.2
            assert api.call("GET", "/users/auth0%7Cada").status_code == 200
        finally:
            tenant.clock = clock

    def test_tokens_are_not_taken_from_it(self, api, tenant):
        tenant.limits.fill(0.001, burst=1)
        assert [api.m2m().status_code for _ in range(3)] == [200, 200, 200]


def test_a_stream_ends_with_its_connection(api, stream, tenant):
    with stream():
        assert tenant.events.open == 1
    # Seen by the tenant when it looks again, within moments.
    for _ in range(200):
        if tenant.events.open == 0:
            break
        with suppress(httpx.HTTPError):
            api.call("GET", "/users/auth0%7Cada")
    assert tenant.events.open == 0
