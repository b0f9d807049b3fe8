"""What a host is told while a call takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

from mcp.server.context import ServerRequestContext

from aiochatwoot import Budget

PROGRESS_S: Final = 2.0


@contextmanager
def progress_told(ctx: ServerRequestContext[Any], budget: Budget) -> Generator[None]:
    """While inside, tell a host that asked for it every few seconds what the call waits for."""
    reporting: asyncio.Task[None] | None = None
    began = time.monotonic()

    async def report() -> None:
        with suppress(Exception):  # the host has left, or cannot be told
            while True:
                await ctx.session.report_progress(round(time.monotonic() - began, 3), message=budget.doing)
                await asyncio.sleep(PROGRESS_S)

    def begin() -> None:
        nonlocal reporting
        reporting = asyncio.create_task(report())

    # Most calls are over before: a timer costs them less than a task.
    timer = asyncio.get_running_loop().call_later(PROGRESS_S, begin)
    try:
        yield
    finally:
        timer.cancel()
        if reporting is not None:
            reporting.cancel()
