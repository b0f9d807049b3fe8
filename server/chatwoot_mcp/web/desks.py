"""A desk per caller: client, cache, keys and limits of two callers never meet."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from chatwoot_mcp.adapter import Seat
from chatwoot_mcp.web.callers import Caller
from chatwoot_tools import Desk

MOST: Final = 500
"""Desks kept. Of more than these the idle one used longest ago is closed; those in use stay, however many they are."""


class Desks:
    """``open_desk`` makes the desk of a caller that has none."""

    def __init__(self, open_desk: Callable[[Caller], Desk]) -> None:
        self._open_desk = open_desk
        self._desks: OrderedDict[Caller, Desk] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @contextmanager
    def seat(self, caller: Caller) -> Generator[Seat]:
        """The caller's seat. While inside, its desk is open."""
        if caller not in self._desks:
            self._desks[caller] = self._open_desk(caller)
        self._desks.move_to_end(caller)
        desk = self._desks[caller]
        try:
            with desk.in_use():
                yield Seat(desk, caller.toolsets, caller.name)
        finally:
            self._make_room()

    def open_circuits(self) -> int:
        """For how many callers Chatwoot counts as down."""
        return sum(desk.client.is_down for desk in self._desks.values())

    def _make_room(self) -> None:
        while len(self._desks) > MOST:
            idle = next((caller for caller, desk in self._desks.items() if desk.is_idle), None)
            if idle is None:
                return
            task = asyncio.create_task(_close(self._desks.pop(idle)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close all, after what they have begun to write."""
        await asyncio.gather(*self._closing, *(_close(desk) for desk in self._desks.values()))

    async def abandon(self) -> None:
        """Stop at once what has begun to write."""
        await asyncio.gather(*(desk.abandon() for desk in self._desks.values()))


async def _close(desk: Desk) -> None:
    await desk.aclose()
    await desk.client.aclose()
