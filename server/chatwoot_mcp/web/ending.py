"""Ends that are not graceful: a second Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import uvicorn


@contextmanager
def ended_by_second_interrupt(abandon: Callable[[], Coroutine[Any, Any, None]]) -> Generator[None]:
    """While inside, and served by uvicorn: Ctrl-C ends gracefully, as it does there; again, at once, after ``abandon``.

    uvicorn itself heeds the second while it waits for connections, but not for writes that nobody waits for any more.
    """
    first = signal.getsignal(signal.SIGINT)
    if not isinstance(getattr(first, "__self__", None), uvicorn.Server):
        yield
        return
    graceful = cast("Callable[[int, FrameType | None], None]", first)
    loop = asyncio.get_running_loop()
    ending: set[asyncio.Task[None]] = set()

    async def end() -> None:
        await abandon()
        os._exit(128 + signal.SIGINT)

    def again(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(lambda: ending.add(asyncio.ensure_future(end())))

    def once(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, again)
        graceful(number, frame)

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, first)
