# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.codes import Code, Ledger, LedgerFull, OneTimeCodes, StaleRevision
from app.domain.deadline import Deadline, set_deadline
from app.domain.errors import (
    CodeNotFound,
    ProviderUnavailable,
    ServiceError,
    TooManyAttempts,
    TooManyCodes,
    TooManyGuesses,
    WrongCode,
)
from app.domain.users import Address
from tests.support.virtual_time import in_virtual_time, now

ADDRESS = Address("ada@new.example")


class Store:
    """A store between replicas: every call lets others go first, and a save says when it came too late."""

    def __init__(self, seed: int = 0) -> None:
        self._records: dict[str, tuple[Code | Ledger | None, int]] = {}
        self._chance = random.Random(seed)
        self._revision = 0
        self.stale = 0

    async def _load(self, key: str):
        await self._yield()
        return self._records.get(key, (None, None))

    async def _save(self, key: str, record: Code | Ledger | None, revision: int | None) -> None:
        await self._yield()
        if self._records.get(key, (None, None))[1] != revision:
            self.stale += 1
            raise StaleRevision
        self._revision += 1
        self._records[key] = (record, self._revision)

    async def _yield(self) -> None:
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)

    async def load_code(self, address):
        return await self._load(f"code {address}")

    async def save_code(self, address, code, revision):
        await self._save(f"code {address}", code, revision)

    async def load_ledger(self, address):
        ledger, revision = await self._load(f"ledger {address}")
        return ledger or Ledger(), revision

    async def save_ledger(self, address, ledger, revision):
        await self._save(f"ledger {address}", ledger, revision)


class Desk:
    """Codes over a store, a clock that can be moved, and the codes delivered."""

    def __init__(self, seed: int = 0) -> None:
        self.store = Store(seed)
        self.now = 1_000_000.0
        self.delivered: list[str] = []
        numbers = random.Random(seed)
        self.codes = OneTimeCodes(self.store, b"key", lambda: self.now, numbers.randrange)

    async def send(self) -> str:
        await self.codes.send(ADDRESS, self._deliver)
        return self.delivered[-1]

    async def _deliver(self, _: Address, code: str) -> None:
        self.delivered.append(code)

    async def guess_wrong(self, times: int) -> None:
        """Make so many wrong guesses, an hour between every five; each of them is compared."""
        for made in range(times):
            if made % 5 == 0:
                self.now += 3_600
                code = await self.send()
            assert await self.guess(_wrong(code)) is WrongCode

    async def guess(self, code: str) -> type[ServiceError] | None:
        try:
            await self.codes.redeem(ADDRESS, code)
        except ServiceError as error:
            return type(error)
        return None


def _wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


@given(st.integers(0, 10_000))
def test_of_fifty_right_guesses_at_once_exactly_one_succeeds(seed):
    async def scenario() -> None:
        desk = Desk(seed)
        code = await desk.send()
        outcomes = await asyncio.gather(*(desk.guess(code) for _ in range(50)))
        assert outcomes.count(None) == 1
        assert set(outcomes) <= {None, CodeNotFound, TooManyGuesses}

    asyncio.run(scenario())


@given(st.integers(0, 10_000))
def test_of_fifty_wrong_guesses_at_once_five_are_compared(seed):
    async def scenario() -> None:
        desk = Desk(seed)
        code = await desk.send()
        outcomes = await asyncio.gather(*(desk.guess(_wrong(code)) for _ in range(50)))
        assert (outcomes.count(WrongCode), outcomes.count(TooManyGuesses)) == (5, 45)
        assert desk.store.stale > 0

    asyncio.run(scenario())


@given(st.integers(0, 10_000))
def test_of_ten_sends_at_once_five_are_made(seed):
    async def scenario() -> None:
        desk = Desk(seed)
        outcomes = await asyncio.gather(*(desk.send() for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(outcome, TooManyCodes) for outcome in outcomes) == 5
        assert len(desk.delivered) == 5

    asyncio.run(scenario())


@given(st.integers(0, 10_000))
def test_guesses_at_once_at_the_last_before_the_lock_are_not_compared_beyond_it(seed):
    async def scenario() -> None:
        desk = Desk(seed)
        for _ in range(19):
            code = await desk.send()
            for _ in range(5):
                assert await desk.guess(_wrong(code)) is WrongCode
            desk.now += 3_600
        code = await desk.send()
        for _ in range(4):
            assert await desk.guess(_wrong(code)) is WrongCode
        outcomes = await asyncio.gather(*(desk.guess(_wrong(code)) for _ in range(10)))
        assert outcomes.count(WrongCode) == 1
        assert await desk.guess(code) is TooManyAttempts
        with pytest.raises(TooManyAttempts):
            await desk.send()

    asyncio.run(scenario())


async def test_the_hundredth_guess_may_be_right():
    desk = Desk()
    for number in range(20):
        code = await desk.send()
        for _ in range(4 if number == 19 else 5):
            assert await desk.guess(_wrong(code)) is WrongCode
        desk.now += 0 if number == 19 else 3_600
    assert await desk.guess(code) is None
    assert await desk.send()


async def test_after_a_lock_the_count_begins_anew():
    desk = Desk()
    for _ in range(20):
        code = await desk.send()
        for _ in range(5):
            await desk.guess(_wrong(code))
        desk.now += 3_600
    desk.now += 24 * 3_600
    code = await desk.send()
    assert await desk.guess(_wrong(code)) is WrongCode
    assert await desk.guess(code) is None


async def test_a_lock_lasts_24_hours_and_forgets_all_guesses_before_it():
    desk = Desk()
    await desk.guess_wrong(100)
    desk.now += 24 * 3_600 - 1
    assert await desk.guess(desk.delivered[-1]) is TooManyAttempts
    with pytest.raises(TooManyAttempts):
        await desk.send()
    desk.now += 1
    code = await desk.send()
    assert await desk.guess(_wrong(code)) is WrongCode
    await desk.guess_wrong(98)
    assert await desk.guess(desk.delivered[-1]) is None


async def test_after_five_wrong_guesses_the_right_one_is_not_compared():
    desk = Desk()
    code = await desk.send()
    assert [await desk.guess(_wrong(code)) for _ in range(5)] == [WrongCode] * 5
    assert [await desk.guess(guess) for guess in (code, _wrong(code))] == [TooManyGuesses] * 2


async def test_a_success_does_not_forget_how_many_codes_were_sent():
    desk = Desk()
    for _ in range(5):
        assert await desk.guess(await desk.send()) is None
    with pytest.raises(TooManyCodes):
        await desk.send()


async def test_a_success_forgets_all_guesses_before_it():
    desk = Desk()
    await desk.guess_wrong(99)
    assert await desk.guess(desk.delivered[-1]) is None
    await desk.guess_wrong(100)
    assert await desk.guess(desk.delivered[-1]) is TooManyAttempts


@pytest.mark.parametrize(("seconds", "outcome"), [(0, None), (299, None), (300, CodeNotFound), (3_600, CodeNotFound)])
async def test_a_code_is_good_for_five_minutes(seconds, outcome):
    desk = Desk()
    code = await desk.send()
    desk.now += seconds
    assert await desk.guess(code) is outcome


async def test_of_five_codes_each_gives_way_an_hour_after_it_was_sent():
    desk = Desk()
    for _ in range(5):
        await desk.send()
        desk.now += 60
    desk.now += 3_600 - 5 * 60 - 1
    with pytest.raises(TooManyCodes):
        await desk.send()
    desk.now += 1
    await desk.send()
    with pytest.raises(TooManyCodes):
        await desk.send()
    desk.now += 60
    await desk.send()


async def test_where_no_guess_can_be_counted_a_code_still_has_its_own_five():
    desk = Desk()
    code = await desk.send()

    async def full(*_: object) -> None:
        raise LedgerFull

    desk.store.save_ledger = full
    assert [await desk.guess(_wrong(code)) for _ in range(4)] == [WrongCode] * 4
    assert await desk.guess(code) is None
    assert await desk.guess(code) is CodeNotFound
    with pytest.raises(LedgerFull):
        await desk.send()


@pytest.mark.parametrize(("writes", "outcome"), [(1, None), (0, ProviderUnavailable)])
async def test_in_an_outage_a_guess_must_be_counted_and_a_right_one_need_not_be_forgiven(writes, outcome):
    desk, left = Desk(), [writes]
    code, saved = await desk.send(), desk.store.save_ledger

    async def save_ledger(*record: object) -> None:
        if not left[0]:
            raise ProviderUnavailable
        left[0] -= 1
        await saved(*record)

    desk.store.save_ledger = save_ledger
    assert await desk.guess(code) is outcome
    left[0] = 2
    assert await desk.guess(code) is (CodeNotFound if outcome is None else None)


@in_virtual_time
async def test_a_right_code_is_right_in_time_when_the_ledger_hangs_once_it_is_used_up():
    desk = Desk()
    code = await desk.send()
    save, load, hangs = desk.store.save_code, desk.store.load_ledger, []

    async def used_up(address, record, revision):
        await save(address, record, revision)
        hangs[:] = [record is None]

    async def loaded(address):
        if hangs == [True]:
            await asyncio.sleep(20)
        return await load(address)

    desk.store.save_code, desk.store.load_ledger = used_up, loaded
    set_deadline(Deadline(at=10.0, grace=10.0))
    assert await desk.guess(code) is None
    assert now() <= 9.5


async def test_a_code_that_cannot_be_used_up_is_not_right():
    desk = Desk()
    code, saved = await desk.send(), desk.store.save_code

    async def save_code(address: Address, changed: Code | None, revision: int | None) -> None:
        if changed is None:
            raise ProviderUnavailable
        await saved(address, changed, revision)

    desk.store.save_code = save_code
    assert await desk.guess(code) is ProviderUnavailable


async def test_all_spellings_of_an_address_have_one_code_and_it_goes_where_it_was_asked_for():
    desk = Desk()
    delivered = []

    async def deliver(address: Address, code: str) -> None:
        delivered.append((address, code))

    await desk.codes.send(Address("ada@b\u00fccher.example"), deliver)
    ((address, code),) = delivered
    assert address == "ada@b\u00fccher.example"
    await desk.codes.redeem(Address("ada@xn--bcher-kva.example"), code)


async def test_what_cannot_be_delivered_leaves_the_code_before_it():
    desk = Desk()
    code = await desk.send()

    async def lost(_: Address, __: str) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await desk.codes.send(ADDRESS, lost)
    assert await desk.guess(code) is None


async def test_a_code_replaced_while_it_is_redeemed_is_not_used():
    desk = Desk()
    code = await desk.send()
    save = desk.store.save_ledger

    async def replaced_meanwhile(address, ledger, revision):
        await save(address, ledger, revision)
        desk.store.save_ledger = save
        while await desk.send() == code:
            pass

    desk.store.save_ledger = replaced_meanwhile
    assert await desk.guess(code) is CodeNotFound
    assert await desk.guess(desk.delivered[-1]) is None


async def test_a_code_is_kept_as_a_keyed_hash_of_its_address():
    desk = Desk()
    code = await desk.send()
    record, _ = await desk.store.load_code(ADDRESS)
    assert code not in repr(record)
    assert len(record.digest) == 64
    assert record.expires_at == desk.now + 300


@pytest.mark.parametrize(("number", "code"), [(0, "000000"), (7, "000007"), (999_999, "999999")])
async def test_a_code_always_has_six_digits(number, code):
    desk = Desk()
    desk.codes = OneTimeCodes(desk.store, b"key", lambda: desk.now, lambda below: number if below == 1_000_000 else -1)
    assert await desk.send() == code


@pytest.mark.parametrize("guess", ["", "12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "🦉", "0" * 10_000])
async def test_odd_guesses_are_wrong(guess):
    desk = Desk()
    await desk.send()
    assert await desk.guess(guess) is WrongCode
