"""`chatwoot-mcp http` as an operator starts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import Client
from uvicorn.server import ServerState

from chatwoot_mcp.settings import read_settings
from chatwoot_mcp.web import guard
from chatwoot_mcp.web.app import build_app
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_mcp.web.serve import uvicorn_options
from chatwoot_sandbox import Sandbox, serve
from faults.proxy import Fault, first, proxy
from support import PATIENCE_S, bare_environment, in_own_task
from web.services import free_port
from web.web import CALL, JSON

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}


@asynccontextmanager
async def server(*args: str, **env: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """A server that is ready, and its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "chatwoot_mcp", "http", "--port", str(port), *args),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**bare_environment(), **env},
    )
    base_url = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as ask:
            await until_it_answers(ask, base_url)
        yield process, base_url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def until_it_answers(ask: httpx2.AsyncClient, base_url: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await ask.get(f"{base_url}/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def refused(*args: str, **env: str) -> str:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "chatwoot_mcp", "http", *args],
        capture_output=True,
        text=True,
        env={**bare_environment(), **env},
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


async def test_the_sandbox_over_http_needs_no_settings() -> None:
    async with server("--sandbox") as (process, base_url):
        async with in_own_task(Client(f"{base_url}/mcp")) as client:
            result = await client.call_tool("create_conversation", PAIR)
        assert (result.structured_content or {})["conversation"]["id"] == 42
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert "Traceback" not in err.decode()


async def test_the_sandbox_over_http_keeps_its_data_in_a_file(tmp_path: Path) -> None:
    for expected in (42, 43):
        async with (
            server("--sandbox", "--data", str(tmp_path / "sandbox.db")) as (_, base_url),
            in_own_task(Client(f"{base_url}/mcp")) as client,
        ):
            result = await client.call_tool("create_conversation", PAIR)
        assert (result.structured_content or {})["conversation"]["id"] == expected


REAL = {"CHATWOOT_BASE_URL": "http://127.0.0.1:9", "CHATWOOT_API_TOKEN": "t"}


@pytest.mark.parametrize(
    ("args", "env", "says"),
    [
        (["--host", "0.0.0.0"], REAL, "CHATWOOT_MCP_CALLERS_FILE"),  # noqa: S104 - that it does not is the test
        (["--host", "0.0.0.0", "--sandbox"], {}, "CHATWOOT_MCP_CALLERS_FILE"),  # noqa: S104
        (["--host", "0.0.0.0"], {**REAL, "CHATWOOT_MCP_CALLER_TOKENS": "1"}, "CHATWOOT_MCP_ALLOWED_HOSTS"),  # noqa: S104
        (["--workers", "0"], REAL, "--workers"),
        (["--workers", "2", "--sandbox"], {}, "--workers"),
        ([], {"CHATWOOT_BASE_URL": "http://127.0.0.1:9"}, "CHATWOOT_API_TOKEN: is not set"),
        ([], {**REAL, "CHATWOOT_MCP_REDIS_URL": "nonsense"}, "CHATWOOT_MCP_REDIS_URL: must be an address"),
        ([], {**REAL, "CHATWOOT_MCP_OAUTH_ISSUER": "https://id.test"}, "also needs"),
        ([], {**REAL, "CHATWOOT_MCP_CALLERS_FILE": "/nowhere.json"}, "/nowhere.json cannot be read"),
        (["--workers", "2"], {**REAL, "CHATWOOT_MCP_CALLERS_FILE": __file__}, "is not as it should be"),
        (["--sandbox"], {"CHATWOOT_MCP_CALLERS_FILE": "/nowhere.json"}, "/nowhere.json cannot be read"),
    ],
)
def test_what_would_be_open_or_cannot_work_is_not_started(args: list[str], env: dict[str, str], says: str) -> None:
    assert says in refused(*args, **env)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_write_under_way_is_answered_before_the_end(sandbox: Sandbox, workers: str) -> None:
    async with proxy(sandbox) as there:
        env = {"CHATWOOT_BASE_URL": there.base_url, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        async with (
            server("--workers", workers, **env) as (process, base_url),
            httpx2.AsyncClient(timeout=PATIENCE_S) as ask,
        ):
            there.rule = first(Fault("hold"), "POST", r"/conversations$")
            params = {"name": "create_conversation", "arguments": PAIR}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            asked = asyncio.create_task(ask.post(f"{base_url}/mcp", json=message, headers=JSON, timeout=PATIENCE_S))
            await there.met.wait()
            process.terminate()
            there.go_on.set()
            answer = await asked
            _, err = await process.communicate()
    assert answer.json()["result"]["structuredContent"]["outcome"] == "created"
    assert len([seen for seen in there.writes() if seen.path.endswith("/conversations")]) == 1
    assert "Traceback" not in err.decode()


@pytest.mark.parametrize("leaves", [False, True], ids=["whose caller waits", "whose caller has left"])
async def test_a_second_ctrl_c_ends_a_write_at_once_and_says_what_is_not_known(
    sandbox: Sandbox, *, leaves: bool
) -> None:
    """The write is held for ever: only the second signal can end it."""
    async with proxy(sandbox, first(Fault("hold"), "POST", r"/conversations$")) as there:
        env = {"CHATWOOT_BASE_URL": there.base_url, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        async with server(**env) as (process, base_url), httpx2.AsyncClient() as ask:
            message = {**CALL, "method": "tools/call", "params": {"name": "create_conversation", "arguments": PAIR}}
            asked = asyncio.create_task(ask.post(f"{base_url}/mcp", json=message, headers=JSON, timeout=60))
            await there.met.wait()
            if leaves:
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
            process.send_signal(signal.SIGINT)
            await until_nobody_listens(base_url)
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
            await asyncio.gather(asked, return_exceptions=True)
    lines = [json.loads(line) for line in err.decode().splitlines() if line.startswith("{")]
    assert [line["outcome"] for line in lines if line["logger"] == "chatwoot_mcp.calls"] == ["outcome_unknown"]
    assert "it is not known what it did" in err.decode()
    assert "Traceback" not in err.decode()


async def until_nobody_listens(base_url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rpartition(":")[2]))
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def test_a_caller_that_leaves_does_not_tear_its_write_off(sandbox: Sandbox) -> None:
    before = len(sandbox.store.rows("SELECT id FROM conversations"))
    async with proxy(sandbox) as there:
        env = {"CHATWOOT_BASE_URL": there.base_url, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        async with server(**env) as (process, base_url):
            there.rule = first(Fault("hold"), "POST", r"/conversations$")
            params = {"name": "create_conversation", "arguments": PAIR}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            async with httpx2.AsyncClient(timeout=PATIENCE_S) as ask:
                asked = asyncio.create_task(ask.post(f"{base_url}/mcp", json=message, headers=JSON, timeout=PATIENCE_S))
                await there.met.wait()
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
            process.terminate()
            there.go_on.set()
            _, err = await process.communicate()
    lines = [json.loads(line) for line in err.decode().splitlines() if line.startswith("{")]
    assert [line["outcome"] for line in lines if line["logger"] == "chatwoot_mcp.calls"] == ["created"]
    assert len(sandbox.store.rows("SELECT id FROM conversations")) == before + 1


async def test_workers_share_one_port_and_one_page_of_figures(sandbox: Sandbox, tmp_path: Path) -> None:
    key = GrantsFile(tmp_path / "callers.json").add(Grant(name="helpdesk"))
    async with proxy(sandbox) as there:
        env = {
            "CHATWOOT_BASE_URL": there.base_url,
            "CHATWOOT_API_TOKEN": "sandbox-admin",
            "CHATWOOT_MCP_CALLERS_FILE": str(tmp_path / "callers.json"),
        }
        async with server("--workers", "2", **env) as (_, base_url):
            headers = {**JSON, "authorization": f"Bearer {key}"}
            for _ in range(20):  # each on a connection of its own, so that both workers get some
                async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as ask:
                    params = {"name": "get_conversation", "arguments": {"conversation_id": 4}}
                    message = {**CALL, "method": "tools/call", "params": params}
                    assert (await ask.post(f"{base_url}/mcp", json=message)).status_code == 200
            async with httpx2.AsyncClient(timeout=PATIENCE_S) as ask:
                assert (await ask.post(f"{base_url}/mcp", json=CALL, headers=JSON)).status_code == 401
                text = (await ask.get(f"{base_url}/metrics")).text
    assert 'chatwoot_mcp_calls_total{outcome="ok",tool="get_conversation"} 20.0' in text


@asynccontextmanager
async def server_here(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[uvicorn.Server, int]]:
    """A server in this process, and its port."""
    async with serve(sandbox) as chatwoot:
        settings = read_settings({"CHATWOOT_BASE_URL": chatwoot, "CHATWOOT_API_TOKEN": "sandbox-admin"})
        port = free_port()
        config = uvicorn.Config(build_app(settings), **uvicorn_options(settings, "127.0.0.1", port))
        running = guard.DrainingServer(config)
        monkeypatch.setattr(running, "capture_signals", contextlib.nullcontext)
        task = asyncio.create_task(running.serve())
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE_S) as ask:
                await until_it_answers(ask, f"http://127.0.0.1:{port}")
            yield running, port
        finally:
            running.should_exit = True
            await task


async def test_workers_end_when_their_supervisor_is_killed_and_leave_the_port(sandbox: Sandbox) -> None:
    async with serve(sandbox) as chatwoot:
        env = {"CHATWOOT_BASE_URL": chatwoot, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        async with server("--workers", "2", **env) as (process, base_url):
            process.kill()
            await process.wait()
            await until_nobody_listens(base_url)


async def test_connections_that_say_nothing_harm_nobody_and_are_closed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """600 here; the figure for 10,000 is in benchmarks/README.md."""
    monkeypatch.setattr(guard, "HEAD_S", 0.5)
    async with (
        server_here(sandbox, monkeypatch) as (_, port),
        httpx2.AsyncClient(headers=JSON, timeout=PATIENCE_S) as ask,
    ):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        for _, writer in slow:
            writer.write(b"POST /mcp HTTP/1.1\r\nHost: 127")
        for _ in range(10):
            assert (await ask.post(f"http://127.0.0.1:{port}/mcp", json=CALL)).status_code == 200
        async with asyncio.timeout(PATIENCE_S):
            for reader, writer in (*silent, *slow):
                with contextlib.suppress(ConnectionResetError):  # closed before all was read
                    assert await reader.read() == b""
                writer.close()
        assert (await ask.post(f"http://127.0.0.1:{port}/mcp", json=CALL)).status_code == 200


async def test_a_request_on_its_way_over_a_used_connection_is_answered_when_the_server_stops(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LAST_CALL_S", PATIENCE_S)
    async with (
        server_here(sandbox, monkeypatch) as (running, port),
        httpx2.AsyncClient(headers=JSON, timeout=PATIENCE_S) as ask,
    ):
        first_answer = await ask.post(f"http://127.0.0.1:{port}/mcp", json=CALL)
        running.should_exit = True
        await nobody_listens(port)
        last_answer = await ask.post(f"http://127.0.0.1:{port}/mcp", json=CALL)
    assert [answer.status_code for answer in (first_answer, last_answer)] == [200, 200]
    assert [answer.headers.get("connection") for answer in (first_answer, last_answer)] == [None, "close"]


async def nobody_listens(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await asyncio.sleep(0.02)


async def test_more_connections_than_there_may_be_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CONNECTIONS", 0)
    protocol = guard.GuardedProtocol(
        config=uvicorn.Config(lambda: None, log_config=None), server_state=ServerState(), app_state={}
    )
    closed: list[bool] = []
    protocol.connection_made(FakeTransport(closed))
    assert closed == [True]


class FakeTransport(asyncio.Transport):
    def __init__(self, closed: list[bool]) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self._closed = closed

    def abort(self) -> None:
        self._closed.append(True)
