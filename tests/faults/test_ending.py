"""Calls that are cancelled and servers that are stopped in the middle of a write."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import subprocess
import sys
from typing import Any, Final

import pytest
from mcp import Client, StdioServerParameters

from chatwoot_mcp.adapter import build_server
from chatwoot_sandbox import Sandbox
from faults.proxy import Fault, Proxy, Seen, first, in_turn, no_fault, proxy
from support import PATIENCE_S, Bench, bare_environment, in_own_task
from virtual import in_virtual_time

PAIR: Final[dict[str, Any]] = {"inbox_id": 2, "contact_id": 1}
ESCALATE: Final[dict[str, Any]] = {"email": "jane@customers.test", "inbox": "2", "summary": "Angry", "priority": "high"}
CORE: Final = frozenset({"core"})
CREATE: Final = ("POST", r"/conversations$")


def conversations(sandbox: Sandbox) -> int:
    return len(sandbox.store.rows("SELECT id FROM conversations"))


async def cancelled_while_held(bench: Bench, there: Proxy, tool: str, arguments: dict[str, Any]) -> None:
    """Call a tool through MCP and cancel it as a host does, while a request of it is held."""
    async with in_own_task(Client(build_server(bench.desk, CORE))) as client:
        call = asyncio.create_task(client.call_tool(tool, arguments))
        await there.met.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.calls"]


async def test_a_cancelled_write_is_finished_in_the_background_logged_and_waited_for(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = conversations(sandbox)
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_workspace", include=["inboxes"])
        there.rule = first(Fault("hold"), *CREATE)
        await cancelled_while_held(bench, there, "create_conversation", {**PAIR, "idempotency_key": "k"})
        closing = asyncio.create_task(bench.aclose())
        await asyncio.sleep(0)
        assert not closing.done()
        there.go_on.set()
        await closing
    assert conversations(sandbox) == before + 1
    [line] = lines(caplog)
    assert line.startswith("tool=create_conversation outcome=created ")
    assert line.endswith(" cancelled=yes")


@in_virtual_time
async def test_a_cancelled_write_whose_answer_is_lost_is_looked_for(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_workspace", include=["inboxes"])
        there.rule = first(Fault("stall", after=True), *CREATE)
        await cancelled_while_held(bench, there, "create_conversation", PAIR)
        await bench.aclose()
        assert len([seen for seen in there.seen if seen.meets(*CREATE)]) == 1
    [line] = lines(caplog)
    assert line.startswith("tool=create_conversation outcome=recovered ")


async def test_what_was_cancelled_begins_no_further_write(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The conversation that is under way is opened; the note, which comes after it, is not written."""
    caplog.set_level(logging.INFO)
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_workspace", include=["inboxes"])
        there.rule = first(Fault("hold"), *CREATE)
        await cancelled_while_held(bench, there, "escalate_to_human", ESCALATE)
        there.go_on.set()
        await bench.desk.aclose()
        assert [seen.path.rpartition("/")[2] for seen in there.writes()] == ["conversations"]
        result = await bench.call("escalate_to_human", **ESCALATE)
        assert result["complete"] is True
        assert sum(seen.meets(*CREATE) for seen in there.seen) == 1
        await bench.aclose()
    assert len(lines(caplog)) == 1


async def test_a_change_that_was_cancelled_half_way_is_logged_as_that_and_not_as_an_unreachable_chatwoot(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_workspace", include=["inboxes"])
        there.rule = first(Fault("hold"), "POST", r"/toggle_status$")
        changes = {"conversation_id": 5, "status": "resolved", "team": "support"}
        await cancelled_while_held(bench, there, "update_conversation", changes)
        there.go_on.set()
        await bench.desk.aclose()
        assert [seen.path.rpartition("/")[2] for seen in there.writes()] == ["toggle_status"]
        await bench.aclose()
    [line] = lines(caplog)
    assert line.startswith("tool=update_conversation outcome=cancelled ")
    assert line.endswith(" partial=yes cancelled=yes")


async def test_what_is_cancelled_before_it_wrote_ends_at_once(sandbox: Sandbox) -> None:
    async with proxy(sandbox, lambda _: Fault("hold")) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await cancelled_while_held(bench, there, "create_conversation", PAIR)
        await bench.aclose()
        assert there.writes() == []


# --- the process ----------------------------------------------------------------------------------------------------

SERVER: Final = ["-m", "chatwoot_mcp"]
HANDSHAKE: Final = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
]
WRITES: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "create_conversation": (PAIR, r"/conversations$", "conversations"),
    "reply_to_conversation": ({"conversation_id": 4, "content": "Hello"}, r"/messages$", "messages"),
    "save_contact": ({"name": "Nobody's"}, r"/contacts$", "contacts"),
}


def environment(base_url: str) -> dict[str, str]:
    return {**bare_environment(), "CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": "sandbox-admin"}


async def killed_in_the_middle(how: signal.Signals | None, there: Proxy, tool: str, arguments: dict[str, Any]) -> int:
    """Start a server, have it call a tool, and end it while the write is held; its exit code.

    None closes stdin. The write goes on before the end is waited for, as a dead process cannot take it back.
    """
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *SERVER,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(there.base_url),
    )
    assert server.stdin is not None
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    try:
        async with asyncio.timeout(PATIENCE_S):
            server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in [*HANDSHAKE, call]))
            await server.stdin.drain()
            await there.met.wait()
            if how is None:
                server.stdin.close()
            else:
                server.send_signal(how)
            if how is signal.SIGKILL:
                await server.wait()
            there.go_on.set()
            await there.committed.wait()
            return await server.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        server.stdin.close()
        await server.wait()


@pytest.mark.long
@pytest.mark.parametrize("tool", WRITES)
@pytest.mark.parametrize("how", [None, signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
async def test_killed_in_the_middle_of_a_write_and_started_again_there_is_one_effect(
    sandbox: Sandbox, tool: str, how: signal.Signals | None
) -> None:
    arguments, path, table = WRITES[tool]
    keyed = {**arguments, "idempotency_key": "k"}
    before = len(sandbox.store.rows(f"SELECT id FROM {table}"))  # noqa: S608 - of this file
    async with proxy(sandbox, in_turn([Fault("hold")], "POST", path)) as there:
        code = await killed_in_the_middle(how, there, tool, keyed)
        there.rule = no_fault
        again = StdioServerParameters(command=sys.executable, args=SERVER, env=environment(there.base_url))
        async with in_own_task(Client(again)) as client:
            result = await client.call_tool(tool, keyed)
    outcomes = {"already_created", "already_sent", "unchanged"}
    assert (result.structured_content or {})["outcome"] in outcomes
    assert len(sandbox.store.rows(f"SELECT id FROM {table}")) == before + 1  # noqa: S608
    assert code == {None: 0, signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[how]


@pytest.mark.parametrize("first_signal", [signal.SIGINT, signal.SIGTERM], ids=str)
async def test_a_second_ctrl_c_ends_at_once_and_says_what_is_not_known(
    sandbox: Sandbox, first_signal: signal.Signals
) -> None:
    """The write is held for ever: only the second signal can end it."""
    async with proxy(sandbox, in_turn([Fault("hold")], *CREATE)) as there:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *SERVER,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(there.base_url),
        )
        assert server.stdin is not None
        assert server.stderr is not None
        params = {"name": "create_conversation", "arguments": PAIR}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in [*HANDSHAKE, call]))
        await there.met.wait()
        server.send_signal(first_signal)
        while b"ending after the writes" not in (line := await server.stderr.readline()):
            assert line
        server.send_signal(signal.SIGINT)
        told = (await server.stderr.read()).decode()
        code = await server.wait()
        server.stdin.close()
    assert code == 128 + first_signal
    assert "create_conversation was stopped in the middle: it is not known what it did id=" in told
    assert "tool=create_conversation outcome=outcome_unknown " in told
    assert "Traceback" not in told


async def test_two_real_processes_with_one_key_at_once_agree_and_tell_of_the_race(sandbox: Sandbox) -> None:
    before = conversations(sandbox)
    both_write = asyncio.Barrier(2)
    async with proxy(sandbox) as there:
        forward = there.forward

        async def together(seen: Seen) -> Any:
            if seen.meets(*CREATE):
                await both_write.wait()
            return await forward(seen)

        there.forward = together  # type: ignore[method-assign]
        server = StdioServerParameters(command=sys.executable, args=SERVER, env=environment(there.base_url))
        async with in_own_task(Client(server)) as one, in_own_task(Client(server)) as other:
            arguments = {**PAIR, "idempotency_key": "k"}
            calls = (client.call_tool("create_conversation", arguments) for client in (one, other))
            results: list[dict[str, Any]] = [result.structured_content or {} for result in await asyncio.gather(*calls)]
    assert conversations(sandbox) == before + 2
    assert sorted(result["outcome"] for result in results) == ["already_created", "created"]
    assert len({result["conversation"]["id"] for result in results}) == 1
    assert any("at the same moment" in warning for result in results for warning in result.get("warnings", []))
