"""What one warm create_conversation costs: beside its request, and beside the least that could do the same.

Run: ``uv run python benchmarks/warm_call.py [rounds]``. In one process, in memory, interleaved: our tool on the
sandbox, the same request by a bare httpx client, an empty tool of a bare server. Two ratios of medians are printed:
ours / (httpx + bare), and (ours - httpx) / bare.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
from mcp import Client

from aiochatwoot import Chatwoot, Transport
from bare_server import bare_server
from chatwoot_mcp.adapter import build_server
from chatwoot_sandbox import Sandbox
from chatwoot_tools import Desk

ARGUMENTS = {
    "inbox_id": 2,
    "contact_id": 1,
    "status": "open",
    "assignee_id": 2,
    "team_id": 1,
    "custom_attributes": {"order_id": "A-1001"},
    "message": {"content": "Hello Jane, your order is on its way.", "private": False},
}
BASE_URL = "http://sandbox.test"


async def seconds(act: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await act()
    return time.perf_counter() - began


async def main(rounds: int) -> None:
    sandbox = Sandbox()
    http = httpx.ASGITransport(app=sandbox.app)
    desk = Desk(Chatwoot(Transport(BASE_URL, "sandbox-admin", http=http)))
    headers = {"api-access-token": "sandbox-admin", "accept": "application/json"}
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(Client(build_server(desk, frozenset({"core"}))))
        bare = await stack.enter_async_context(Client(bare_server()))
        plain = await stack.enter_async_context(httpx.AsyncClient(transport=http, base_url=BASE_URL, headers=headers))
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "ours": lambda: ours.call_tool("create_conversation", ARGUMENTS),
            "httpx": lambda: plain.post("/api/v1/accounts/1/conversations", json=ARGUMENTS),
            "bare": lambda: bare.call_tool("nothing", {}),
        }
        spent: dict[str, list[float]] = {name: [] for name in acts}
        for turn in range(rounds + 20):
            for name, act in acts.items():
                took = await seconds(act)
                if turn >= 20:  # warm
                    spent[name].append(took)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    whole = medians["ours"] / (medians["httpx"] + medians["bare"])
    beside = (medians["ours"] - medians["httpx"]) / medians["bare"]
    shown = ", ".join(f"{name} {value * 1e6:.0f} µs" for name, value in medians.items())
    sys.stdout.write(f"{shown}; ours / (httpx + bare) {whole:.2f}, (ours - httpx) / bare {beside:.2f}\n")
    sandbox.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
