"""Wiring: from settings to a desk, and from a desk to a served MCP server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiochatwoot import Chatwoot, Transport
from chatwoot_mcp import __version__
from chatwoot_mcp.settings import Settings
from chatwoot_tools import Desk

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger("chatwoot_mcp.app")

USER_AGENT: Final = f"chatwoot-mcp/{__version__}"


@asynccontextmanager
async def open_desk(settings: Settings, http: httpx.AsyncBaseTransport | None = None) -> AsyncGenerator[Desk]:
    """A desk with one pooled client; ``http`` replaces the network."""
    token = settings.api_token.get_secret_value()
    transport = Transport(settings.base_url, token, http=http, user_agent=USER_AGENT, proxy=settings.proxy_url)
    async with Chatwoot(transport) as client:
        desk = Desk(client, settings.policy())
        try:
            yield desk
        finally:
            await desk.aclose()


async def run_stdio(settings: Settings) -> None:
    """Serve one Chatwoot on stdin and stdout."""
    from chatwoot_mcp.adapter import build_server
    from chatwoot_mcp.stdio import serve_stdio

    async with open_desk(settings) as desk, _ending_well(desk):
        await serve_stdio(build_server(desk, settings.toolsets))


@asynccontextmanager
async def _ending_well(desk: Desk) -> AsyncGenerator[None]:
    """While inside, SIGTERM and SIGINT end the process after the writes that are under way, a second one at once.

    By ``os._exit``: the thread that reads stdin cannot be woken, and would hold up any other end.
    """
    import anyio

    async def wait_for_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            first = await anext(signals)
            _log.info("%s: ending after the writes that are under way", signal.Signals(first).name)
            async with asyncio.TaskGroup() as group:
                group.create_task(end_after_writes(first))
                second = await anext(signals)
                await desk.abandon()
                os._exit(128 + second)

    async def end_after_writes(number: int) -> None:
        await desk.aclose()
        os._exit(128 + number)

    if sys.platform == "win32":  # no signals there that could be waited for
        yield
        return
    async with anyio.create_task_group() as group:
        group.start_soon(wait_for_signal)
        yield
        group.cancel_scope.cancel()


async def run_stdio_on_sandbox(settings_for: Callable[[str], Settings], data: str | None) -> None:
    """Serve the embedded Chatwoot on stdin and stdout, its pages over HTTP on loopback beside it."""
    from chatwoot_sandbox import Sandbox, serve

    sandbox = Sandbox(data)
    try:
        async with serve(sandbox) as base_url:
            await run_stdio(settings_for(base_url))
    finally:
        sandbox.close()


async def run_sandbox(
    host: str,
    port: int,
    data: str | None,
    world: str | None,
    chatwoot: str,
    jobs_after_s: float,
    say: Callable[[str], None],
) -> None:
    """The embedded Chatwoot alone, like the version named, until interrupted.

    ``world`` is the file that says what it holds at first. Raises WorldInvalid before anything starts.
    """
    import anyio

    from chatwoot_sandbox import Sandbox, read_world, serve

    sandbox = Sandbox(data, chatwoot=chatwoot, jobs_after_s=jobs_after_s, world=read_world(world))
    try:
        async with serve(sandbox, host, port) as base_url:
            say(f"Sandbox Chatwoot at {base_url} (conversations: {base_url}/app/accounts/1/conversations)")
            say(f"CHATWOOT_BASE_URL={base_url} CHATWOOT_API_TOKEN=sandbox-admin")
            await anyio.sleep_forever()
    finally:
        sandbox.close()
