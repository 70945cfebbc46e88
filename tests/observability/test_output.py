# SPDX-License-Identifier: MIT
"""A log that nobody reads for a while: who writes never waits, and what is read later is whole and in order."""

from __future__ import annotations

import json
import os
import select
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from loguru import logger

from app.observability.output import MOST_WAITING
from app.settings import LogSettings
from tests.support.logs import service_log
from tests.support.waiting import PATIENCE


@contextmanager
def unread(*, blocking=True, **settings):
    """Yield the sink of a log that goes into a pipe, and what reads all that comes out of it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, blocking)
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w", encoding="utf-8") as stream:

        def read() -> list[str]:
            with ThreadPoolExecutor(1) as other:
                reading = other.submit(source.read)
                try:
                    sink.output.settle(PATIENCE)
                finally:
                    stream.close()
                return reading.result(PATIENCE).decode().splitlines()

        with service_log(LogSettings(**settings), (), stream) as sink:
            yield sink, read, source


def write(count, text=""):
    """Write so many records from another thread, which must not be held up."""

    def all_of_them():
        for number in range(count):
            logger.bind(number=number, text=text).info("written")

    writing = threading.Thread(target=all_of_them, daemon=True)
    writing.start()
    writing.join(PATIENCE)
    assert not writing.is_alive()


@pytest.mark.parametrize("blocking", [True, False])
def test_what_waits_for_a_reader_is_whole_and_in_order(blocking):
    with unread(blocking=blocking) as (sink, read, _):
        write(2_000)
        records = [json.loads(line) for line in read()]
    assert [record["number"] for record in records] == list(range(2_000))
    assert sink.output.lost == 0


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_too_much_to_wait_is_lost_and_counted(form):
    count = MOST_WAITING // 500
    with unread(format=form) as (sink, read, _):
        write(count, "x" * 1_000)
        *lines, note = read()
    assert 0 < sink.output.lost == count - len(lines)
    shown = (
        f"lost={sink.output.lost}" if form == "console" else f'"log records were lost", "lost": {sink.output.lost}}}'
    )
    assert note.endswith(shown)


def test_a_record_longer_than_what_a_pipe_takes_at_once_is_whole_and_in_its_place():
    with unread() as (_, read, _):
        logger.info("before")
        logger.bind(**dict.fromkeys("abcdefgh", "x" * 1_000)).info("long")
        logger.info("after")
        lines = read()
    assert len(lines[1]) > select.PIPE_BUF
    assert [json.loads(line)["message"] for line in lines] == ["before", "long", "after"]


def test_a_reader_that_comes_back_gets_what_follows():
    with unread() as (sink, read, source):
        write(1_000)
        source.read1()
        sink.output.settle(0)
        write(1_000)
        lines = read()[-1_000:]
    assert [json.loads(line)["number"] for line in lines] == list(range(1_000))


def test_a_thread_that_cannot_be_started_holds_nothing_back_later(monkeypatch, capfd):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    long = dict.fromkeys("abcdefgh", "x" * 1_000)
    with unread() as (_, read, _):
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            logger.bind(**long).info("first")
            logger.info("small")
        logger.bind(**long).info("long")
        assert [json.loads(line)["message"] for line in read()] == ["small", "first", "long"]
    assert capfd.readouterr().err == ""


def test_what_waits_for_a_reader_that_is_gone_is_given_up(capfd):
    with unread() as (sink, _, source):
        write(2_000)
        source.close()
        sink.output.settle(PATIENCE)
        write(1)
    assert capfd.readouterr().err == ""
