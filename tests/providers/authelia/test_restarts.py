# SPDX-License-Identifier: MIT
"""Restarts of Authelia: none too soon after another, none lost, by any number of replicas."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from providers.authelia.cluster.pace import Pace
from providers.authelia.cluster.restarts import Restarts
from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET
from tests.support.authelia import PEOPLE, users_file
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket, held
from tests.support.people import grace
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("people")
OTHERS = users_file(tuple(person for person in PEOPLE if person is not grace))
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def _restarted(stage, at) -> None:
    """Somebody restarts Authelia at that moment, for reasons of their own."""
    daemonset = stage.kubernetes.objects[DAEMONSET]
    daemonset["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT] = at
    stage.kubernetes.put(DAEMONSET, daemonset)


def _last(stage) -> str:
    return stage.kubernetes.objects[DAEMONSET]["spec"]["template"]["metadata"]["annotations"].get(RESTARTED_AT, "")


def _ago(seconds) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def _newcomer(js, name) -> None:
    kv = await js.key_value("authelia-users")
    record = {"username": name, "email": f"{name}@example.org", "displayname": name}
    await kv.put(name, json.dumps(record).encode())


async def _settled(provider) -> None:
    await until(lambda: not provider.readiness()["kubernetes?"])


async def test_changes_within_the_interval_are_gathered_into_one_restart(stage, js):
    """Each change goes into the file at once; three replicas hear of it."""
    stage.kubernetes.file = OTHERS
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(stage.replica()) for _ in range(3)]
        await until(lambda: stage.kubernetes.restarts == 1)
        for number in range(3):
            await _newcomer(js, f"n{number}")
            await until(lambda name=f"n{number}": name in stage.kubernetes.users)
        for replica in replicas:
            await _settled(replica)
        assert (stage.kubernetes.count("update", CONFIGMAP), stage.kubernetes.restarts) == (4, 1)
    last = datetime.fromisoformat(_last(stage))
    between = (datetime.now(UTC) - last).total_seconds() + 2
    async with stage.replica(between=between) as one, stage.replica(between=between) as two:
        await until(lambda: sum(p.measurements()["auth_service_sync_restarts_total"] for p in (one, two)))
        await _settled(one)
        await _settled(two)
    assert stage.kubernetes.restarts == 2
    assert (datetime.fromisoformat(_last(stage)) - last).total_seconds() >= between


async def test_a_restart_by_somebody_else_counts(stage):
    _restarted(stage, _ago(10))
    stage.kubernetes.file = OTHERS
    async with stage.replica() as provider:
        await until(lambda: stage.kubernetes.count("update", CONFIGMAP))
        await _settled(provider)
        assert stage.kubernetes.restarts == 0
        assert provider.measurements()["auth_service_sync_restarts_total"] == 0


@pytest.mark.parametrize("at", [None, "2024-05-01T10:00:00+02:00", "2024-05-01T10:00:00", "tomorrow", "", 7])
async def test_one_that_is_long_ago_or_unknown_puts_nothing_off(stage, at):
    _restarted(stage, _ago(31) if at is None else at)
    stage.kubernetes.file = OTHERS
    async with stage.replica():
        await until(lambda: stage.kubernetes.restarts == 1)


async def test_one_in_the_future_puts_nothing_off_for_long(stage):
    _restarted(stage, _ago(-86_400))
    stage.kubernetes.file = OTHERS
    async with stage.replica():
        await until(lambda: stage.kubernetes.restarts == 1)


async def test_it_is_owed_still_when_the_file_is_changed_by_hand_meanwhile(stage):
    _restarted(stage, _ago(0))
    stage.kubernetes.file = OTHERS
    async with stage.replica(between=2.0):
        await until(lambda: stage.kubernetes.count("update", CONFIGMAP))
        stage.kubernetes.file = "# by hand\n" + stage.kubernetes.file
        await until(lambda: stage.kubernetes.restarts)
    assert stage.kubernetes.restarts == 1


async def test_it_is_made_although_synchronisation_fails_meanwhile(stage):
    _restarted(stage, _ago(0))
    stage.kubernetes.file = OTHERS
    async with stage.replica(between=2.0, every=0.2, after_failure=0.2) as provider:
        await until(lambda: stage.kubernetes.count("update", CONFIGMAP))
        stage.kubernetes.file = "users: ["
        await until(lambda: stage.kubernetes.restarts)
        await until(lambda: provider.readiness()["kubernetes?"].startswith("no YAML"))


async def test_who_began_one_goes_on_after_a_failure(stage):
    """Others leave it a minute."""
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"patch {DAEMONSET}"] = 500
    async with stage.replica(after_failure=0.05) as provider:
        await until(lambda: stage.kubernetes.restarts)
        await _settled(provider)
    assert stage.kubernetes.restarts == 1


async def test_a_write_without_answer_is_followed_by_its_restart_once_the_note_is_old_enough(stage):
    """When nothing else is to be done the next look is five minutes later."""
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"update {CONFIGMAP}"] = "lost"
    async with stage.replica(after_failure=0.05, restart=1.0) as provider:
        await until(lambda: stage.kubernetes.restarts)
        await _settled(provider)
    assert (stage.kubernetes.count("update", CONFIGMAP), stage.kubernetes.restarts) == (1, 1)


async def test_a_note_of_an_older_version_is_honoured(stage, js):
    import hashlib  # noqa: PLC0415 - the key as it was written

    async with stage.replica() as provider:
        await _settled(provider)
    key = f"sync/restart/{hashlib.sha256(stage.kubernetes.file.encode()).hexdigest()}"
    await (await js.key_value("authelia-otp-ledger")).put(key, b"2026-01-01T00:00:00Z")
    async with stage.replica(restart=0.0):
        await until(lambda: stage.kubernetes.restarts == 1)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("order", ["after", "between", "before"])
async def test_who_writes_the_same_too_late_takes_back_no_note_but_its_own(order, killed):
    """Two replicas note one text, and one writes it; `killed`: it is, before it says that a restart is owed."""
    clock = Clock()
    bucket = MemoryBucket(0, clock)
    restarts = Restarts(bucket.opened, clock, Pace())
    late = await restarts.note("text") if order == "before" else None
    await restarts.note("text")
    if order == "between":
        late = await restarts.note("text")
    if not killed:
        await restarts.owe("text")
        await restarts.made(await restarts.owed())
    if order == "after":
        late = await restarts.note("text")
    await restarts.withdraw("text", late)
    clock.now += 61
    await restarts.recover("text")
    assert (await restarts.owed() is not None) is killed


def _apart(difference):
    """The clock of a replica, that of the server, and the restarts of the one noted by the other."""
    server, replica = Clock(), Clock()
    replica.now += difference
    bucket = MemoryBucket(0, server)
    return server, replica, Restarts(bucket.opened, replica, Pace())


@pytest.mark.parametrize("difference", [-86_400, -61, -30, 0, 30, 86_400])
async def test_a_clock_that_differs_from_the_servers_makes_no_note_last(difference):
    server, replica, restarts = _apart(difference)
    await restarts.note("text")
    for _ in range(2):
        await restarts.recover("text")
        for clock in (server, replica):
            clock.now += 60
    await restarts.recover("text")
    assert await restarts.owed() is not None


@pytest.mark.parametrize("difference", [-86_400, -61, -30, 0, 30, 86_400])
async def test_a_clock_that_differs_from_the_servers_waits_a_minute_at_most_for_who_began(difference):
    _, replica, other = _apart(difference)
    began = Restarts(other._bucket, replica, Pace())  # noqa: SLF001 - the same notes
    await began.owe("text")
    await began.begin(await began.owed())
    assert other.wait(await other.owed(), "") <= 60


@pytest.mark.parametrize(("age", "left"), [(0, 60), (20, 40), (59, 1)])
async def test_it_is_told_in_how_many_seconds_a_note_will_count(age, left):
    server, replica, restarts = _apart(0)
    await restarts.note("text")
    server.now = replica.now = server.now + age
    assert await restarts.recover("text") == left
    assert await restarts.recover("another text") is None
    assert await restarts.owed() is None


async def _notes(js) -> list[str]:
    return list(await held(js, "authelia-claims"))


@pytest.mark.parametrize("status", [403, 409, 413, 422])
async def test_a_change_that_is_refused_leaves_no_note(stage, js, status):
    stage.kubernetes.file = users_file(PEOPLE[2:])
    stage.kubernetes.faults[f"update {CONFIGMAP}"] = status
    async with stage.replica(after_failure=0.05) as provider:
        await until(lambda: provider.measurements()["auth_service_sync_failures_total"] > 2)
    assert await _notes(js) == []


async def test_attempts_that_may_have_succeeded_write_one_text_and_leave_one_note(stage, js):
    """Of several newcomers no hash is made anew."""
    stage.kubernetes.file = users_file(PEOPLE[2:])
    stage.kubernetes.faults[f"update {CONFIGMAP}"] = 500
    async with stage.replica(after_failure=0.05) as provider:
        await until(lambda: provider.measurements()["auth_service_sync_failures_total"] > 2)
        assert len(await _notes(js)) == 1
        stage.kubernetes.faults.clear()
        await until(lambda: stage.kubernetes.restarts == 1)
        await _settled(provider)
    assert await _notes(js) == []
