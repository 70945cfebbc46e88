# SPDX-License-Identifier: MIT
"""Moments, bytes and numbers at which the memory keeps, forgets and makes room."""

from __future__ import annotations

import itertools

import pytest

from providers.remembering.memory import Memory
from providers.remembering.names import Names
from tests.support.costs import MOST, seconds

ADA = b"A" * 16
BOB = b"B" * 16
EVE = b"E" * 16
HERS = b"m" * 16


@pytest.fixture
def memory():
    return Memory(1024**2, longest_read=20.0)


def began(memory: Memory, key: bytes) -> float | None:
    found = memory.find(key)
    return None if found is None else found.began


def test_what_is_read_at_the_moment_of_a_change_is_not_remembered(memory):
    memory.forget([ADA], 11.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 11.0)
    assert memory.find(b"u" + ADA) is None
    memory.remember(b"u" + ADA, ADA, b"ada", 11.1)
    assert (began(memory, b"u" + ADA), memory.find(b"u" + ADA).settled) == (11.1, False)


def test_what_was_read_until_others_were_not_heard_replaces_no_call(memory):
    memory.forget_fresh(10.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    assert memory.find(b"u" + ADA).settled is False
    memory.remember(b"u" + ADA, ADA, b"ada", 10.1)
    assert memory.find(b"u" + ADA).settled is True
    memory.forget_fresh(10.2)
    assert memory.find(b"u" + ADA).settled is False


def test_how_old_an_answer_is_says_the_last_read_under_its_key(memory):
    memory.remember(b"u" + ADA, ADA, b"ada", 12.0)
    memory.remember(b"u" + ADA, ADA, b"ada", 11.0)
    memory.remember(b"s" + ADA, ADA, b"ada", 11.5)
    assert (began(memory, b"u" + ADA), began(memory, b"s" + ADA)) == (12.0, 11.5)
    memory.remember(b"s" + ADA, ADA, b"other", 11.9)  # begun before what is remembered was
    assert memory.find(b"s" + ADA).record == b"ada"
    memory.remember(b"s" + ADA, ADA, b"other", 12.1)
    assert memory.find(b"s" + ADA).record == b"other"


def test_a_change_counts_for_reads_as_long_as_one_may_take(memory):
    memory.forget([ADA], 10.0)
    memory.forget([BOB], 30.0)
    memory.remember(b"u" + EVE, EVE, b"eve", 9.0)
    assert memory.find(b"u" + EVE).settled is True
    memory.forget([BOB], 30.1)  # now the first is too long ago to be kept: it counts for everybody
    memory.remember(b"a" + EVE, EVE, b"eve", 10.0)
    assert memory.find(b"a" + EVE) is None
    memory.remember(b"a" + EVE, EVE, b"eve", 10.1)
    assert memory.find(b"a" + EVE).settled is False
    memory.remember(b"s" + ADA, ADA, b"ada", 10.1)
    assert began(memory, b"s" + ADA) == 10.1


def test_absent_names_that_are_too_old_cost_the_same_however_many_they_are():
    memory = Memory(64 * 1024**2, longest_read=20.0)
    names = [number.to_bytes(16, "big") for number in range(100_000)]
    for name in names:
        memory.remember_nobody(b"u" + name, 10.0)
    moments = itertools.count(100)
    assert seconds(lambda: memory.remember_nobody(b"u" + ADA, float(next(moments))), MOST) <= MOST
    for _ in names:
        memory.remember_nobody(b"u" + ADA, float(next(moments)))
    assert memory.entries == 1


def test_one_user_under_ever_new_names_leaves_the_others_their_room(memory):
    others = [number.to_bytes(16, "big") for number in range(100)]
    for name in others:
        memory.remember(b"u" + name, name, b"x", 10.0)
    for number in range(20_000):
        memory.remember(b"s" + number.to_bytes(16, "little"), ADA, b"ada", 10.0)
    assert [name for name in others if memory.find(b"u" + name) is None] == []
    assert memory.find(b"s" + (19_999).to_bytes(16, "little")).record == b"ada"
    assert memory.size <= 1024**2 // 8 + 100 * 1_200


def test_when_all_is_forgotten_everybody_counts_as_changed(memory):
    memory.remember(b"u" + ADA, ADA, b"ada", 9.0)
    memory.remember_nobody(b"u" + BOB, 9.0)
    memory.forget_all(10.0)
    assert (memory.entries, memory.size) == (0, 0)
    memory.remember(b"u" + ADA, ADA, b"ada", 10.0)
    memory.remember_nobody(b"u" + BOB, 15.0)
    assert memory.entries == 0
    memory.remember(b"u" + ADA, ADA, b"ada", 10.1)
    memory.remember_nobody(b"u" + BOB, 15.1)
    assert (memory.entries, memory.find(b"u" + ADA).settled) == (2, False)


def test_a_user_takes_700_bytes_a_key_330_and_the_record_its_own(memory):
    memory.remember(b"u" + ADA, ADA, b"x" * 70, 10.0)
    assert (memory.entries, memory.size) == (1, 1100)
    for moment in (10.0, 11.0):
        memory.remember(b"s" + ADA, ADA, b"x" * 70, moment)
        assert (memory.entries, memory.size) == (2, 1430)
    memory.remember_nobody(b"a" + HERS, 10.0)
    assert (memory.entries, memory.size) == (3, 1760)
    memory.remember(b"a" + HERS, ADA, b"x" * 70, 10.0)
    assert (memory.entries, memory.size, memory.was_absent(b"a" + HERS, 0.0)) == (3, 1760, False)
    memory.remember(b"a" + HERS, BOB, b"y", 12.0)  # one user has a key less, and another is new
    assert (memory.entries, memory.size) == (3, 1430 + 1031)
    memory.remember(b"u" + ADA, BOB, b"y", 12.0)
    memory.remember(b"s" + ADA, BOB, b"y", 12.0)  # the first is found by none any more
    assert (memory.entries, memory.size) == (3, 701 + 3 * 330)
    memory.remember_nobody(b"u" + ADA, 13.0)
    assert (memory.entries, memory.size) == (1, 330)
    memory.clear()
    assert (memory.entries, memory.size) == (0, 0)


@pytest.mark.parametrize(("limit", "kept"), [(8 * 1100, True), (8 * 1100 - 1, False)])
def test_one_user_takes_an_eighth_at_most(limit, kept):
    memory = Memory(limit, 20.0)
    memory.remember(b"a" + HERS, BOB, b"bob", 10.0)
    memory.remember(b"a" + HERS, ADA, b"x" * 70, 11.0)
    found = memory.find(b"a" + HERS)
    assert (None if found is None else found.owner) == (ADA if kept else None)


def test_room_is_made_by_what_was_not_found_first_and_the_oldest_of_it():
    memory = Memory(8 * 1100, 20.0)
    for number in range(8):
        memory.remember(b"u%016d" % number, b"%016d" % number, b"x" * 70, 10.0)
    assert memory.size == 8 * 1100
    memory.remember_nobody(b"a" + HERS, 10.0)
    assert (memory.size, memory.was_absent(b"a" + HERS, 0.0)) == (8 * 1100, False)
    memory.forget([b"%016d" % 0], 10.0)
    for number in range(4):
        memory.remember_nobody(b"a%016d" % number, 20.0)
    assert [memory.was_absent(b"a%016d" % number, 0.0) for number in range(4)] == [False, True, True, True]
    assert memory.entries == 7 + 3


def test_that_there_is_nobody_is_kept_for_five_seconds_and_no_room_taken_longer(memory):
    memory.remember_nobody(b"a1", 10.0)
    memory.remember_nobody(b"a2", 12.0)
    memory.remember_nobody(b"a1", 14.0)
    memory.remember_nobody(b"a3", 17.0)
    assert memory.entries == 3
    memory.remember_nobody(b"a4", 17.1)
    assert (memory.entries, memory.was_absent(b"a2", 0.0), memory.was_absent(b"a1", 14.0)) == (3, False, True)


def test_that_there_is_nobody_is_not_believed_until_five_seconds_after_a_change(memory):
    memory.forget([BOB], 11.0)
    memory.remember_nobody(b"a" + HERS, 16.0)
    assert not memory.was_absent(b"a" + HERS, 0.0)
    memory.remember_nobody(b"a" + HERS, 16.1)
    assert memory.was_absent(b"a" + HERS, 16.1)
    memory.forget_fresh(20.0)
    memory.remember_nobody(b"a" + HERS, 20.0)
    assert not memory.was_absent(b"a" + HERS, 0.0)
    memory.remember_nobody(b"a" + HERS, 20.1)
    assert memory.was_absent(b"a" + HERS, 20.1)


def test_a_subject_that_is_nobodys_any_more_is_forgotten_whatever_key_found_it(memory):
    memory.remember(b"u" + HERS, ADA, b"ada", 10.0)
    assert memory.remember_nobody(b"a" + ADA, 11.0) == []
    assert memory.remember_nobody(b"s" + ADA, 11.0) == [ADA]
    assert memory.find(b"u" + HERS) is None


def test_a_message_names_64_at_most():
    names = Names("secret")
    most = [b"%016d" % number for number in range(64)]
    assert [names.understood(one) for one in names.messages(b"f", [*most, ADA])] == [(b"f", most), (b"f", [ADA])]
    assert [names.understood(one) for one in names.messages(b"n", [])] == [(b"n", [])]


def test_replicas_of_every_version_hash_names_alike():
    """Made with HMAC (RFC 5869) and BLAKE2b (RFC 7693) by themselves; others send and understand exactly these."""
    names = Names("secret")
    assert names.user("auth0|ada").hex() == "08c2f8ae768ea17745ae812e2be372ff"
    assert names.username("ada").hex() == "a43f5440f42e6de66b7eef7eacbb5b2c"
    assert names.address(" ADA@example.org").hex() == "5abad444148557095bb709a192a49731"
    assert [one.hex() for one in names.messages(b"f", [])] == ["66" + "a1ce639a3bbc768e0372d4de5da391c0"]
    assert len(names.user("auth0|\ud800")) == 16
    assert (names.shared, Names().shared) == (True, False)
