# SPDX-License-Identifier: MIT
"""What the memory keeps, for how much room, and what makes it forget."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from app.domain.users import Identity, User
from providers.remembering.memory import Memory
from providers.remembering.names import MOST, Names
from providers.remembering.records import packed, unpacked

USERS = int(os.environ.get("REMEMBERED_USERS", "20000"))
MIB = 1024**2
ADA = b"A" * 16
BOB = b"B" * 16
HERS = b"m" * 16


@pytest.fixture
def memory():
    return Memory(MIB, longest_read=20.0)


def user(number):
    return User(
        f"auth0|user{number}",
        f"user{number}",
        f"user{number}@example.org",
        {"city": "Oslo", "name": f"User {number}"},
        (
            Identity("auth0", f"user{number}", is_account=True),
            Identity("email", str(number), "email", "a@b.org", email_verified=True),
        ),
    )


def test_a_user_is_read_back_as_it_was():
    odd = User("auth0|\udc80", "é", "", {"bio": "\x00"}, (Identity("google-oauth2", "1", is_social=True),))
    for one in (user(1), odd, User("")):
        assert unpacked(packed(one)) == one
    assert packed(user(1)) == packed(user(int("1")))


def test_whom_one_key_found_is_not_under_another(memory):
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    assert memory.find(b"u" + ADA).record == b"ada"
    assert memory.find(b"s" + ADA) is None
    assert memory.find(b"a" + ADA) is None


def test_a_change_is_forgotten_under_every_key_and_nobody_else_is(memory):
    for key in (b"u" + ADA, b"s" + ADA, b"a" + HERS):
        memory.remember(key, ADA, b"ada", 10.0)
    memory.remember(b"u" + BOB, BOB, b"bob", 10.0)
    memory.forget([ADA], 11.0)
    assert [memory.find(key) for key in (b"u" + ADA, b"s" + ADA, b"a" + HERS)] == [None, None, None]
    assert memory.find(b"u" + BOB).record == b"bob"


def test_an_address_that_changes_hands_is_forgotten_with_whom_it_found(memory):
    memory.remember(b"a" + HERS, ADA, b"ada", 10.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    memory.forget([HERS], 11.0)
    assert memory.find(b"a" + HERS) is None
    assert memory.find(b"u" + ADA) is None


def test_a_read_begun_before_a_change_is_not_remembered(memory):
    memory.forget([ADA], 11.0)
    memory.remember(b"u" + ADA, ADA, b"old", 10.9)
    assert memory.find(b"u" + ADA) is None
    memory.remember(b"a" + HERS, BOB, b"bob", 10.9)
    assert memory.find(b"a" + HERS).settled
    memory.forget([HERS], 12.0)
    memory.remember(b"a" + HERS, BOB, b"bob", 11.9)
    assert memory.find(b"a" + HERS) is None


def test_what_is_read_just_after_a_change_stands_in_for_errors_only(memory):
    memory.forget([ADA], 11.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 15.9)
    assert memory.find(b"u" + ADA).settled is False
    memory.remember(b"u" + ADA, ADA, b"ada", 16.1)
    assert memory.find(b"u" + ADA).settled is True


def test_a_read_that_shows_somebody_changed_leaves_the_other_names_for_errors_only(memory):
    memory.remember(b"u" + ADA, ADA, b"before", 10.0)
    memory.remember(b"s" + ADA, ADA, b"after", 11.0)
    for name, began, settled in ((b"u", 10.0, False), (b"s", 11.0, True)):
        found = memory.find(name + ADA)
        assert (found.record, found.began, found.settled) == (b"after", began, settled)
    # Reads begun before it which are answered later.
    memory.remember(b"u" + ADA, ADA, b"before", 10.5)
    memory.remember(b"a" + HERS, ADA, b"before", 10.6)
    for name, began in ((b"u" + ADA, 10.5), (b"a" + HERS, 10.6)):
        found = memory.find(name)
        assert (found.record, found.began, found.settled) == (b"after", began, False)
    memory.remember(b"u" + ADA, ADA, b"after", 11.5)
    assert memory.find(b"u" + ADA).settled
    memory.forget([ADA], 12.0)
    assert (memory.entries, memory.size) == (0, 0)


def test_a_user_who_has_become_too_large_is_not_kept_as_it_was():
    memory = Memory(20_000, 20.0)
    memory.remember(b"u" + ADA, ADA, b"before", 10.0)
    memory.remember(b"s" + ADA, ADA, b"x" * 5000, 11.0)
    assert (memory.find(b"u" + ADA), memory.entries, memory.size) == (None, 0, 0)


def test_a_key_that_finds_another_user_leaves_the_first_without_it(memory):
    memory.remember(b"a" + HERS, ADA, b"ada", 10.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    memory.remember(b"a" + HERS, BOB, b"bob", 11.0)
    assert memory.find(b"a" + HERS).record == b"bob"
    assert memory.find(b"u" + ADA).record == b"ada"


def test_an_answer_that_there_is_nobody_forgets_the_user(memory):
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    memory.remember(b"a" + HERS, ADA, b"ada", 10.0)
    assert memory.remember_nobody(b"u" + ADA, 11.0) == [ADA]
    assert memory.find(b"a" + HERS) is None
    assert memory.was_absent(b"u" + ADA, 11.0)
    assert not memory.was_absent(b"u" + ADA, 11.1)


def test_that_there_is_nobody_is_forgotten_at_any_change(memory):
    memory.remember_nobody(b"a" + HERS, 10.0)
    memory.forget([BOB], 11.0)
    assert not memory.was_absent(b"a" + HERS, 0.0)
    memory.remember_nobody(b"a" + HERS, 15.9)
    assert not memory.was_absent(b"a" + HERS, 0.0)


def test_a_flood_of_changes_takes_no_room_and_lets_nothing_old_in(memory):
    memory.forget([ADA], 10.0)
    for number in range(40_000):
        memory.forget([number.to_bytes(16, "big")], 10.0 + number / 1e6)
    memory.remember(b"u" + ADA, ADA, b"old", 9.0)
    memory.remember(b"u" + BOB, BOB, b"old", 9.0)
    assert memory.find(b"u" + ADA) is memory.find(b"u" + BOB) is None


def test_what_was_used_least_recently_goes_first(memory):
    for number in range(300):
        memory.remember(b"u%015d" % number, b"%016d" % number, b"x" * 1000, 10.0)
        memory.find(b"u%015d" % 0)
    assert memory.find(b"u%015d" % 299) is None or memory.size <= MIB
    kept = Memory(10 * 2100, 20.0)
    for number in range(20):
        kept.remember(b"u%016d" % number, b"%016d" % number, b"x" * 1000, 10.0)
        kept.find(b"u%016d" % 0)
    assert kept.find(b"u%016d" % 0) is not None
    assert kept.find(b"u%016d" % 1) is None
    assert kept.find(b"u%016d" % 19) is not None


@pytest.mark.parametrize("limit", [0, 1000, 20_000])
def test_a_user_who_is_too_large_is_not_kept(limit):
    memory = Memory(limit, 20.0)
    memory.remember(b"u" + ADA, ADA, b"x" * 5000, 10.0)
    memory.remember_nobody(b"u" + BOB, 10.0)
    assert memory.find(b"u" + ADA) is None
    assert memory.size <= limit


def test_the_bound_on_bytes_holds_however_many_users_are_read():
    limit, names = 4 * MIB, Names()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        memory = Memory(limit, 20.0)
        for number in range(USERS):
            one = user(number)
            owner, record = names.user(one.user_id), packed(one)
            memory.remember(b"u" + names.username(one.username), owner, record, 10.0)
            memory.remember(b"a" + names.address(one.primary_email), owner, record, 10.0)
            memory.remember_nobody(b"a" + names.address(f"nobody{number}@example.org"), 10.0)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert limit / 2 < memory.size <= limit
    assert taken <= limit


def test_a_message_is_understood_by_who_has_the_key_and_by_nobody_else():
    ours, same, other = Names("secret"), Names("secret"), Names("another")
    (message,) = ours.messages(b"f", [ADA, BOB])
    assert same.understood(message) == (b"f", [ADA, BOB])
    assert other.understood(message) is None
    assert Names().understood(message) is None
    spoilt = [message[:-1], message + b"x", b"n" + message[1:], message[:17] + BOB + ADA, b"", b"f", b"\x00" * 10_000]
    assert [same.understood(one) for one in spoilt] == [None] * len(spoilt)


def test_names_and_addresses_do_not_stand_in_a_message():
    names = Names("secret")
    (message,) = names.messages(b"f", [names.user("auth0|ada"), names.address("ada@example.org")])
    assert b"ada" not in message
    assert names.address("ADA@example.org ") == names.address("ada@example.org")
    assert names.user("ada") != names.username("ada")
    assert len(list(names.messages(b"f", [ADA] * (MOST + 1)))) == 2
