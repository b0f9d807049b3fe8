"""Look-ups kept for a short while, each fetched once however many calls wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from aiochatwoot import Budget
from aiochatwoot.errors import BotEndpointClosed, ChatwootError, DeadlineExceeded, Forbidden

TTL_S: Final = 60.0
MAX_ENTRIES: Final = 2_000

T = TypeVar("T")
_REMEMBERED: Final = (BotEndpointClosed, Forbidden)
"""Refusals that will not change by asking again; everything else that failed is asked anew."""


@dataclass(slots=True)
class _Entry:
    task: asyncio.Task[Any]
    asked_at: float


class Cache:
    """Answers by key, shared by all calls of one credential."""

    def __init__(self, ttl_s: float = TTL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: dict[Hashable, _Entry] = {}

    def now(self) -> float:
        return self._clock()

    async def get(
        self, key: Hashable, fetch: Callable[[], Awaitable[T]], budget: Budget, *, not_before: float = 0.0
    ) -> T:
        """The answer for ``key``: a kept one that was asked for after ``not_before``, else a fresh one.

        Raises what ``fetch`` raises, and DeadlineExceeded when the budget ends first.
        """
        entry = self._entries.get(key)
        mine = entry is None or entry.asked_at < max(not_before, self._clock() - self._ttl_s)
        if entry is None or mine:
            entry = self._start(key, cast("Callable[[], Coroutine[Any, Any, T]]", fetch))
        elif entry.task.done():
            return cast("T", entry.task.result())
        try:
            async with asyncio.timeout(budget.left):
                return cast("T", await asyncio.shield(entry.task))
        except TimeoutError:
            raise DeadlineExceeded("no answer within the deadline") from None
        except DeadlineExceeded:
            # The call that asked ran out of time; this one may have some left.
            if mine or not budget.left:
                raise
            return await self.get(key, fetch, budget, not_before=self._clock())

    def _start(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> _Entry:
        entry = _Entry(asyncio.create_task(fetch()), self._clock())
        entry.task.add_done_callback(lambda task: self._settle(key, entry, task))
        self._entries[key] = entry
        self._drop_old()
        return entry

    def _settle(self, key: Hashable, entry: _Entry, task: asyncio.Task[Any]) -> None:
        if not _is_worth_keeping(task) and self._entries.get(key) is entry:
            del self._entries[key]

    def _drop_old(self) -> None:
        if len(self._entries) <= MAX_ENTRIES:
            return
        oldest = self._clock() - self._ttl_s
        kept = {key: entry for key, entry in self._entries.items() if entry.asked_at >= oldest}
        self._entries = dict(list(kept.items())[-MAX_ENTRIES // 2 :])


def _is_worth_keeping(task: asyncio.Task[Any]) -> bool:
    if task.cancelled():
        return False
    failure = task.exception()
    return failure is None or isinstance(failure, _REMEMBERED)


def unreadable(failure: ChatwootError) -> bool:
    """True when the token may not read a list at all: the check is skipped and said so, rather than failed."""
    return isinstance(failure, _REMEMBERED)
