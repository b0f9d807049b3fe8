"""A desk per caller: client, cache, keys and limits of two callers never meet."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chatwoot_mcp.adapter import Seat
from chatwoot_mcp.web.callers import Caller
from chatwoot_tools import Desk

MOST: Final = 500
"""Desks kept; the one used longest ago makes room, after what it has begun to write."""


class Desks:
    """``open_desk`` makes the desk of a caller that has none."""

    def __init__(self, open_desk: Callable[[Caller], Desk]) -> None:
        self._open_desk = open_desk
        self._desks: OrderedDict[Caller, Desk] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def seat(self, caller: Caller) -> Seat:
        if caller not in self._desks:
            self._desks[caller] = self._open_desk(caller)
            if len(self._desks) > MOST:
                _, oldest = self._desks.popitem(last=False)
                self._retire(oldest)
        self._desks.move_to_end(caller)
        return Seat(self._desks[caller], caller.toolsets, caller.name)

    def open_circuits(self) -> int:
        """For how many callers Chatwoot counts as down."""
        return sum(desk.client.is_down for desk in self._desks.values())

    def _retire(self, desk: Desk) -> None:
        async def later() -> None:
            if not desk.is_idle:
                await asyncio.sleep(desk.policy.deadline_s + 1)  # by then its calls have ended
            await _close(desk)

        task = asyncio.create_task(later())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close all, after what they have begun to write."""
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*(_close(desk) for desk in self._desks.values()))


async def _close(desk: Desk) -> None:
    await desk.aclose()
    await desk.client.aclose()
