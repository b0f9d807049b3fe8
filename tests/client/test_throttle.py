"""Staying below Chatwoot's throttles, by a clock of its own."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiochatwoot import Budget, Transport, errors, throttle
from aiochatwoot.limits import Limits
from aiochatwoot.request import Request
from aiochatwoot.throttle import Throttle
from wire import answer, wire

SEARCH = "/api/v1/accounts/1/contacts/search"
META = "/api/v1/accounts/1/conversations/meta"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("path", "requests", "period_s"),
    [
        (SEARCH, 100, 60),
        ("/api/v1/accounts/1/conversations/meta", 30, 60),
        ("/api/v2/accounts/1/reports/summary", 100, 60),
        ("/api/v1/accounts/1/conversations/5/transcript", 1000, 3600),
        ("/api/v1/accounts/1/upload", 60, 3600),
        ("/api/v1/profile", 3000, 60),
    ],
)
def test_so_many_at_once_and_then_one_when_the_first_is_old(path: str, requests: int, period_s: float) -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    assert {limits.reserve(path, at_most_s=math.inf) for _ in range(requests)} == {0.0}
    clock.now += 10
    assert limits.reserve(path, at_most_s=math.inf) == period_s - 10
    assert limits.reserve(path.replace("1", "2", 2), at_most_s=math.inf) == (0.0 if "accounts" in path else 50.0)


def test_a_turn_that_comes_too_late_is_not_taken() -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    for _ in range(100):
        limits.reserve(SEARCH, at_most_s=math.inf)
    assert [limits.reserve(SEARCH, at_most_s=60.0) for _ in range(3)] == [60.0] * 3
    clock.now += 60
    assert limits.reserve(SEARCH, at_most_s=1.0) == 0.0


@given(st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=400))
def test_no_period_ever_sees_more_than_the_limit(gaps: list[float]) -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    sent: list[float] = []
    for gap in gaps:
        clock.now += gap
        sent.append(clock.now + limits.reserve("/api/v1/accounts/1/conversations/meta", at_most_s=math.inf))
    assert sent == sorted(sent)
    for begin in sent:
        assert sum(begin <= moment < begin + 60 - 1e-6 for moment in sent) <= 30


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=10), st.sampled_from("abc")), min_size=1, max_size=400))
def test_whoever_calls_no_period_sees_more_than_the_limit(calls: list[tuple[float, str]]) -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    sent: list[float] = []
    for gap, caller in calls:
        clock.now += gap
        sent.append(clock.now + limits.reserve(META, at_most_s=math.inf, caller=caller))
    for begin in sent:
        assert sum(begin <= moment < begin + 60 - 1e-6 for moment in sent) <= 30


def test_a_caller_takes_no_more_than_it_leaves_and_in_the_end_as_much_as_each_other() -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    sent: list[str] = []

    def taken(caller: str, calls: int = 100) -> int:
        waits = [limits.reserve(SEARCH, at_most_s=1.0, caller=caller) for _ in range(calls)]
        sent.extend([caller] * waits.count(0.0))
        return waits.count(0.0)

    assert [taken(caller) for caller in "abc"] == [50, 25, 13]
    for _ in range(600):  # each asks all the time, the first always before the others
        clock.now += 1
        for caller in "abc":
            taken(caller, 5)
    sent.clear()
    for _ in range(600):
        clock.now += 1
        for caller in "abc":
            taken(caller, 5)
    assert [sent.count(caller) / 10 for caller in "abc"] == [pytest.approx(25, abs=2)] * 3


def test_a_turn_that_comes_is_not_pushed_back_by_who_comes_before_it() -> None:
    clock = Clock()
    limits = Throttle(clock=clock)
    for _ in range(50):
        assert limits.reserve(SEARCH, at_most_s=math.inf, caller="a") == 0.0
    assert limits.reserve(SEARCH, at_most_s=math.inf, caller="a") == 60.0
    assert limits.reserve(SEARCH, at_most_s=math.inf, caller="b") == 0.0
    assert limits.reserve(SEARCH, at_most_s=math.inf) == 0.0


def test_idle_counters_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_COUNTERS", 10)
    clock = Clock()
    limits = Throttle(clock=clock)
    for account in range(100):
        clock.now += 60
        limits.reserve(SEARCH.replace("1", str(account)), at_most_s=math.inf)
    assert len(limits._turns) <= 10


def test_an_account_that_never_had_a_turn_is_no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_COUNTERS", 3)
    limits = Throttle(clock=Clock())
    assert limits.reserve(SEARCH, at_most_s=0.0) == 0.0  # a call without any time left
    assert len(limits._turns) == 0
    for account in range(10):
        assert limits.reserve(SEARCH.replace("1", str(account)), at_most_s=1.0) == 0.0


async def test_a_request_waits_for_its_turn_or_is_not_sent() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    search = Request("GET", SEARCH)
    async with wire(answer()) as there:
        transport = Transport(there.base_url, "t", sleep=sleep, limits=Limits(Throttle(clock=Clock())))
        for _ in range(101):
            await transport.send(search, Budget(math.inf))
        budget = Budget(30)
        with pytest.raises(errors.RateLimited) as caught:
            await transport.send(search, budget)
        await transport.aclose()
    assert waits == [60.0]
    assert (caught.value.http_status, budget.requests, len(there.requests)) == (None, 0, 101)
    assert caught.value.retry_after_s == 60.0


@pytest.mark.parametrize(
    ("base_url", "limited"),
    [
        ("https://desk.acme.test", True),
        ("https://127.evil.test", True),
        ("http://127.0.0.1:3000/desk", False),
        ("http://localhost", False),
        ("http://[::1]:3000", False),
    ],
)
def test_chatwoot_does_not_throttle_loopback(base_url: str, limited: bool) -> None:
    assert bool(throttle.limits_for(base_url)) is limited
