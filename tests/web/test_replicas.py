"""Three replicas behind nginx, restarted and killed one at a time under load: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from chatwoot_sandbox import Sandbox, serve
from support import PATIENCE_S, bare_environment
from web.services import free_port, listening, nginx, redis_server
from web.web import JSON

pytestmark = pytest.mark.long

CLIENTS: Final = 50
VERSION: Final = "2026-07-28"


@dataclass
class Replica:
    """A server in a process of its own, on a port that it keeps."""

    env: dict[str, str]
    args: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "chatwoot_mcp", "http", "--port", str(self.port), *self.args),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.env,
        )
        await listening(self.port)

    async def stop(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()


@asynccontextmanager
async def replicas(count: int, *args: str, **env: str) -> AsyncGenerator[list[Replica]]:
    made = [Replica({**bare_environment(), **env}, args) for _ in range(count)]
    try:
        await asyncio.gather(*(each.start() for each in made))
        yield made
    finally:
        for each in made:
            await each.stop(signal.SIGKILL)


@dataclass
class Load:
    """Clients that create conversations, each call with a key and a mark of its own, in both eras by turns."""

    base_url: str
    done: list[str] = field(default_factory=list[str])
    failures: Counter[str] = field(default_factory=Counter[str])
    stopping: bool = False
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Clients call until the block is left; then each ends the call that it is making."""
        async with asyncio.TaskGroup() as clients:
            for number in range(CLIENTS):
                clients.create_task(self.client(number))
            yield
            self.stopping = True

    async def turns(self, count: int) -> None:
        """Wait until so many more calls are done."""
        goal = len(self.done) + count
        async with asyncio.timeout(PATIENCE_S), self._progress:
            await self._progress.wait_for(lambda: len(self.done) >= goal)

    async def client(self, number: int) -> None:
        turn = 0
        async with httpx2.AsyncClient(base_url=self.base_url, headers=JSON, timeout=PATIENCE_S) as ask:
            while not self.stopping:
                mark = f"load-{number}-{turn}"
                # The same call again until it succeeds, as hosts do.
                async with asyncio.timeout(PATIENCE_S):
                    while not await self.call(ask, mark, 1 + (number + turn) % 25, modern=turn % 2 == 0):
                        pass
                self.done.append(mark)
                turn += 1
                async with self._progress:
                    self._progress.notify_all()

    async def call(self, ask: httpx2.AsyncClient, mark: str, contact_id: int, *, modern: bool) -> bool:
        """Whether the call succeeded; the same call is made again until it does."""
        arguments = {"inbox_id": 2, "contact_id": contact_id, "message": {"content": mark}, "idempotency_key": mark}
        params: dict[str, Any] = {"name": "create_conversation", "arguments": arguments}
        headers: dict[str, str] = {}
        if modern:
            names = "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"
            params["_meta"] = {names[0]: VERSION, names[1]: dict[str, Any]()}
            headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": params["name"]}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        try:
            answer = await ask.post("/mcp", json=message, headers=headers)
        except httpx2.TransportError as error:
            self.failures[type(error).__name__] += 1
            return False
        if answer.status_code != 200:
            self.failures[str(answer.status_code)] += 1
            return False
        result: dict[str, Any] = answer.json()["result"]
        if result.get("isError"):
            self.failures[result["_meta"]["chatwoot/error"]["code"]] += 1
            return False
        return True


def marks(sandbox: Sandbox, table: str) -> Counter[str]:
    query = f"SELECT content FROM {table} WHERE content LIKE 'load-%'"  # noqa: S608 - of this file
    return Counter(row["content"] for row in sandbox.store.rows(query))


@pytest.mark.parametrize("with_redis", [False, True], ids=["alone", "redis"])
async def test_restarted_and_killed_one_at_a_time_no_write_is_lost_or_doubled(
    sandbox: Sandbox, tmp_path: Path, with_redis: bool
) -> None:
    async with AsyncExitStack() as stack:
        env = {"CHATWOOT_BASE_URL": await stack.enter_async_context(serve(sandbox))}
        env["CHATWOOT_API_TOKEN"] = "sandbox-admin"
        if with_redis:
            env["CHATWOOT_MCP_REDIS_URL"] = (await stack.enter_async_context(redis_server())).url
        running = await stack.enter_async_context(replicas(3, **env))
        load = Load(await stack.enter_async_context(nginx([each.port for each in running], tmp_path)))
        async with load.running():
            for each in running:
                await each.stop(signal.SIGTERM)
                await each.start()
            gentle = dict(load.failures)
            await running[0].stop(signal.SIGKILL)
            await running[0].start()
        for each in running:
            await each.stop(signal.SIGTERM)
    written = marks(sandbox, "messages")
    opened = marks(sandbox, "conversations JOIN messages ON conversation_id = conversations.id")
    assert gentle == {}
    assert set(load.done) == set(written)
    assert {mark: count for mark, count in (written + opened).items() if count != 2} == {}
    assert len(load.done) > CLIENTS
    assert load.failures["outcome_unknown"] == 0


async def test_one_worker_stopped_under_load_loses_no_write(sandbox: Sandbox) -> None:
    async with AsyncExitStack() as stack:
        env = {
            "CHATWOOT_BASE_URL": await stack.enter_async_context(serve(sandbox)),
            "CHATWOOT_API_TOKEN": "sandbox-admin",
        }
        [server] = await stack.enter_async_context(replicas(1, "--workers", "2", **env))
        load = Load(f"http://127.0.0.1:{server.port}")
        async with load.running():
            await load.turns(2 * CLIENTS)
            assert server.process is not None
            worker = workers_of(server.process.pid)[0]
            os.kill(worker, signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                while worker in workers_of(server.process.pid):
                    await load.turns(1)
            await load.turns(CLIENTS)
    assert dict(load.failures) == {}
    assert set(marks(sandbox, "messages").values()) == {1}
    assert set(load.done) == set(marks(sandbox, "messages"))


def workers_of(pid: int) -> list[int]:
    """The processes that serve for a supervisor; multiprocessing has one more, which tracks resources."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
