"""No call outlives its deadline by more than a second, whatever Chatwoot does; and nothing is kept of it."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import mcp_types as types
import pytest
from mcp import Client

from aiochatwoot import Budget, Transport, errors, transport
from aiochatwoot.request import Request
from aiochatwoot.transport import CONCURRENCY
from chatwoot_mcp import adapter
from chatwoot_mcp.adapter import build_server
from chatwoot_sandbox import Sandbox
from chatwoot_tools import Context, Desk, Policy, Tool
from faults.proxy import Fault, Seen, proxy, retry_after
from support import Bench, in_own_task
from virtual import in_virtual_time

DEADLINE_S: Final = 1.0
PAIR: Final[dict[str, Any]] = {"inbox_id": 2, "contact_id": 1}
POST: Final = Request("POST", "/api/v1/accounts/1/conversations", {}, is_write=True)

ENDLESS: Final = [
    Fault("stall"),
    Fault("stall", after=True),
    Fault("stall_body", after=True),
    Fault("drip", after=True),
    Fault("reset"),
    Fault("answer", status=503),
    retry_after(None),
    retry_after("1"),
]
CALLS: Final[dict[str, dict[str, Any]]] = {
    "create_conversation": PAIR,
    "get_conversation": {"conversation_id": 4},
    "escalate_to_human": {"conversation_id": 4, "summary": "s", "priority": "low", "labels": ["vip"]},
}


@pytest.mark.parametrize("tool", CALLS)
@pytest.mark.parametrize("fault", ENDLESS, ids=str)
@in_virtual_time
async def test_a_call_ends_within_a_second_of_its_deadline(sandbox: Sandbox, tool: str, fault: Fault) -> None:
    async with proxy(sandbox, lambda _: fault) as there:
        desk = Desk(Bench(sandbox, base_url=there.base_url).desk.client, Policy(deadline_s=DEADLINE_S))
        async with in_own_task(Client(build_server(desk, frozenset({"core"})))) as client:
            async with asyncio.timeout(DEADLINE_S + 1):
                result = await client.call_tool(tool, CALLS[tool])
        await desk.aclose()
        await desk.client.aclose()
    if tool != "escalate_to_human" and fault.kind != "drip":
        assert result.is_error


@pytest.mark.parametrize(("written", "code"), [(False, "deadline_exceeded"), (True, "outcome_unknown")])
async def test_a_tool_that_waits_for_ever_is_ended_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, written: bool, code: str
) -> None:
    """Every wait has its bound; this is the one behind them all."""

    async def endless(_: Any, __: Any, context: Context) -> Any:
        context.budget.has_written = written
        await asyncio.Event().wait()

    monkeypatch.setattr(adapter, "GRACE_S", 0.1)
    monkeypatch.setattr(Tool, "call", endless)
    desk = Desk(bench.desk.client, Policy(deadline_s=0.1))
    async with in_own_task(Client(build_server(desk, frozenset({"core"})))) as client:
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[adapter.ERROR_META]["code"] == code


@contextmanager
def port_that_never_accepts() -> Generator[str]:
    """Its queue is full, so that the handshake of the next connection stalls."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    crowd = [socket.socket() for _ in range(4)]
    for each in crowd:
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for each in (*crowd, listener):
            each.close()


async def test_a_connection_that_stalls_is_surely_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_S", 0.1)
    with port_that_never_accepts() as base_url:
        sender = Transport(base_url, "t", rand=lambda: 0.0)
        budget = Budget(30)
        with pytest.raises(errors.Unreachable) as caught:
            await sender.send(POST, budget)
        late = Budget(0.05)
        with pytest.raises(errors.Unreachable):
            await sender.send(POST, late)
        await sender.aclose()
    assert (budget.requests, budget.answers) == (3, ["Unreachable"] * 3)
    assert caught.value.effect is errors.Effect.NONE


async def test_waiting_for_other_requests_is_not_waiting_for_chatwoot(sandbox: Sandbox) -> None:
    """Behind eight slow requests a ninth is not sent, and says so: nothing is unknown about it."""
    all_arrived = asyncio.Barrier(CONCURRENCY + 1)

    async with proxy(sandbox) as there:
        forward = there.forward

        async def held(seen: Seen) -> Any:
            await all_arrived.wait()
            await there.go_on.wait()
            return await forward(seen)

        there.forward = held  # type: ignore[method-assign]
        sender = Transport(there.base_url, "sandbox-admin")
        profile = Request("GET", "/api/v1/profile")
        slow = [asyncio.create_task(sender.send(profile, Budget(60))) for _ in range(CONCURRENCY)]
        await all_arrived.wait()
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await sender.send(POST, Budget(0.1))
        there.go_on.set()
        await asyncio.gather(*slow)
        await sender.aclose()
    assert caught.value.effect is errors.Effect.NONE
    assert there.writes() == []


async def test_a_packed_answer_of_200_megabytes_costs_a_call_little_memory(sandbox: Sandbox) -> None:
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_conversation", conversation_id=4)
        there.rule = lambda _: Fault("bomb")
        tracemalloc.start()
        failure = await bench.refused("get_conversation", conversation_id=4)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await bench.aclose()
    assert failure.code == "response_too_large"
    assert peak < 32 * 1024 * 1024


async def test_a_redirect_takes_no_token_along(sandbox: Sandbox) -> None:
    async with proxy(sandbox) as elsewhere, proxy(sandbox) as there:
        there.rule = lambda _: Fault("redirect", location=f"{elsewhere.base_url}/take")
        bench = Bench(sandbox, base_url=there.base_url)
        for tool, arguments in CALLS.items():
            assert (await bench.refused(tool, **arguments)).code == "redirected"
        await bench.aclose()
    assert len(there.seen) >= len(CALLS)
    assert elsewhere.seen == []


async def test_while_chatwoot_is_down_calls_fail_at_once_and_it_is_asked_again_by_itself(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await there.shut()
        told = [await bench.refused(**PAIR) for _ in range(3)]
        assert [failure.code for failure in told] == ["unreachable"] * 3
        assert told[-1].retry_after_s is not None
        assert "Chatwoot is down" in told[-1].text
        await there.open()
        bench.waits.clear()
        assert (await bench.refused(**PAIR)).retry_after_s is not None
        assert bench.waits == []
        assert there.seen == []
        monkeypatch.setattr(bench.transport.limits.circuit, "_open_until", 0.0)  # five seconds later
        assert (await bench.call(**PAIR))["outcome"] == "created"
        assert (await bench.call(**PAIR))["outcome"] == "created"
        await bench.aclose()


async def test_a_long_call_says_what_it_waits_for(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatwoot_mcp.progress.PROGRESS_S", 0.01)
    told: list[str] = []
    enough = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        assert progress >= 0
        told.append(message or "")
        if len(told) >= 3:
            enough.set()

    for mode in ("auto", "legacy"):
        told.clear()
        enough.clear()
        async with proxy(sandbox, lambda _: Fault("hold")) as there:
            bench = Bench(sandbox, base_url=there.base_url)
            async with in_own_task(Client(build_server(bench.desk, frozenset({"core"})), mode=mode)) as client:
                calling = asyncio.create_task(
                    client.call_tool("get_conversation", {"conversation_id": 4}, progress_callback=on_progress)
                )
                await enough.wait()
                there.go_on.set()
                result = await calling
            await bench.aclose()
        assert isinstance(result, types.CallToolResult)
        assert not result.is_error
        assert told[-1] == "waiting for Chatwoot"


async def test_the_request_id_of_the_log_is_the_one_that_chatwoot_was_sent(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chatwoot_mcp")
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        async with in_own_task(Client(build_server(bench.desk, frozenset({"core"})))) as client:
            await client.call_tool("get_conversation", {"conversation_id": 4})
        await bench.aclose()
    [line] = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.calls"]
    assert {seen.headers["x-request-id"] for seen in there.seen} == {line.rpartition("id=")[2]}
