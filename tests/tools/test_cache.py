"""Look-ups: kept for a minute, fetched once however many wait, never a failure kept that may pass."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import math

import pytest

from aiochatwoot import Budget
from aiochatwoot.errors import BotEndpointClosed, DeadlineExceeded, ServerError
from chatwoot_tools.call.cache import MAX_ENTRIES, TTL_S, Cache
from chatwoot_tools.call.ledger import MAX_RECORDS, Ledger, Record

FOREVER = Budget(math.inf)


class Source:
    """Counts how often it is asked, and answers with that number; or fails as told."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> int:
        self.asked += 1
        answer = self.asked
        await self.gate.wait()
        if self.fails:
            raise self.fails
        return answer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_kept_for_a_minute() -> None:
    clock, source = Clock(), Source()
    cache = Cache(clock=clock)
    assert await cache.get("k", source.fetch, FOREVER) == 1
    clock.now += TTL_S
    assert await cache.get("k", source.fetch, FOREVER) == 1
    clock.now += 0.1
    assert await cache.get("k", source.fetch, FOREVER) == 2


async def test_many_that_wait_cause_one_request() -> None:
    source = Source()
    cache = Cache()
    source.gate.clear()
    waiting = [asyncio.create_task(cache.get("k", source.fetch, FOREVER)) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*waiting)) == {1}


async def test_a_failure_is_asked_anew_but_a_refusal_to_bots_is_remembered() -> None:
    source = Source()
    cache = Cache()
    for failure, asked in ((ServerError(500), 2), (BotEndpointClosed("no"), 3)):
        source.fails = failure
        for _ in range(2):
            with pytest.raises(type(failure)):
                await cache.get("k", source.fetch, FOREVER)
        assert source.asked == asked


async def test_not_before_asks_for_a_fresh_answer_once() -> None:
    clock, source = Clock(), Source()
    cache = Cache(clock=clock)
    await cache.get("k", source.fetch, FOREVER)
    clock.now += 1
    assert await cache.get("k", source.fetch, FOREVER, not_before=clock.now) == 2
    assert await cache.get("k", source.fetch, FOREVER, not_before=clock.now) == 2


async def test_a_caller_that_gives_up_does_not_take_the_request_from_the_others() -> None:
    source = Source()
    cache = Cache()
    source.gate.clear()
    leaving = asyncio.create_task(cache.get("k", source.fetch, FOREVER))
    staying = asyncio.create_task(cache.get("k", source.fetch, FOREVER))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    source.gate.set()
    assert (leaving.cancelled(), await staying) == (True, 1)


async def test_who_runs_out_of_time_is_told_and_who_has_some_left_asks_again() -> None:
    source = Source()
    cache = Cache()
    source.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await cache.get("k", source.fetch, Budget(0))
    source.gate.set()
    source.fails = DeadlineExceeded("the first caller's budget ended")
    later = Source()
    assert await cache.get("k", later.fetch, FOREVER) == 1
    assert later.asked == 1


async def test_old_answers_make_room() -> None:
    source = Source()
    cache = Cache()
    for key in range(MAX_ENTRIES * 2):
        await cache.get(key, source.fetch, FOREVER)
    assert len(cache._entries) <= MAX_ENTRIES


async def test_the_ledger_forgets_the_oldest_and_holds_equal_keys_one_at_a_time() -> None:
    ledger = Ledger()
    for number in range(MAX_RECORDS + 1):
        await ledger.put(str(number), Record("a", number))
    assert (await ledger.get("0"), await ledger.get("1")) == (None, Record("a", 1))
    inside: list[int] = []

    async def enter(number: int) -> None:
        async with ledger.holding("k", FOREVER):
            assert inside == []
            inside.append(number)
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(enter(number) for number in range(10)))
    assert ledger._held == {}
