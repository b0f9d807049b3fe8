"""A call that nobody waits for any more begins no write, wherever its request waits at that moment."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import pytest

from aiochatwoot import Budget, Transport, errors
from aiochatwoot import transport as transport_of
from aiochatwoot.limits import Limits
from aiochatwoot.request import Request
from aiochatwoot.throttle import Limit, Throttle
from aiochatwoot.transport import CONCURRENCY
from wire import answer, wire

GET = Request("GET", "/api/v1/profile")
POST = Request("POST", "/api/v1/accounts/1/conversations", {}, is_write=True)


async def test_a_write_queued_behind_eight_reads_is_not_sent_once_its_call_is_cancelled() -> None:
    go_on = asyncio.Event()
    all_there = asyncio.Semaphore(0)

    async def held(_: bytes, writer: asyncio.StreamWriter) -> None:
        all_there.release()
        await go_on.wait()
        writer.write(answer())

    async with wire(held) as there:
        transport = Transport(there.base_url, "t")
        reads = [asyncio.create_task(transport.send(GET, Budget(math.inf))) for _ in range(CONCURRENCY)]
        for _ in reads:
            await all_there.acquire()
        budget = Budget(math.inf)
        write = asyncio.create_task(transport.send(POST, budget))
        await asyncio.sleep(0)
        budget.withdraw()
        go_on.set()
        await asyncio.gather(*reads)
        with pytest.raises(errors.Withdrawn):
            await write
        await transport.aclose()
    assert [request.split(b" ")[0] for request in there.requests] == [b"GET"] * CONCURRENCY
    assert budget.has_written is False


async def test_a_write_that_waits_for_its_turn_is_not_sent_once_its_call_is_cancelled() -> None:
    budget = Budget(math.inf)
    busy = Throttle((Limit(re.compile(""), requests=1),))
    busy.reserve(POST.path, at_most_s=1.0)

    async def sleep(_: float) -> None:
        budget.withdraw()

    async with wire(answer()) as there:
        transport = Transport(there.base_url, "t", limits=Limits(busy), sleep=sleep)
        with pytest.raises(errors.Withdrawn):
            await transport.send(POST, budget)
        await transport.aclose()
    assert there.requests == []


async def test_a_write_that_waits_for_a_connection_is_not_sent_once_its_call_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = Budget(math.inf)
    trace = transport_of._Sending.trace

    async def cancelled_meanwhile(sending: Any, event: str, about: object) -> None:
        if event == "connection.connect_tcp.complete":
            budget.withdraw()
        await trace(sending, event, about)

    monkeypatch.setattr(transport_of._Sending, "trace", cancelled_meanwhile)
    async with wire(answer()) as there:
        transport = Transport(there.base_url, "t")
        with pytest.raises(errors.Withdrawn):
            await transport.send(POST, budget)
        await transport.send(GET, budget)
        assert not transport.limits.circuit.is_open
        await transport.aclose()
    assert [request.split(b" ")[0] for request in there.requests] == [b"GET"]
    assert budget.is_withdrawn
    assert budget.has_written is False


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer(b"", "503 Busy"), "waiting before asking again, as Chatwoot answered 503"),
        (b"garbage\r\n\r\n", "waiting before asking again, as Chatwoot did not answer"),
    ],
)
async def test_what_is_waited_for_is_said_in_words(reply: bytes, says: str) -> None:
    budget = Budget(math.inf)
    said: list[str] = []

    async def sleep(_: float) -> None:
        said.append(budget.doing)

    async with wire(reply, answer()) as there:
        transport = Transport(there.base_url, "t", sleep=sleep)
        await transport.send(GET, budget)
        await transport.aclose()
    assert said == [says]
