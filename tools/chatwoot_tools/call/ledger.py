"""What this process did under which idempotency key."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from aiochatwoot import Budget
from aiochatwoot.errors import DeadlineExceeded, Effect

MAX_RECORDS: Final = 10_000

Kind = Literal["conversation", "contact", "message", "step", "doubt", "escalation"]


def ledger_key(kind: Kind, account_id: int, *parts: int | str) -> str:
    """Under which the ledger, and a stamp, know what an idempotency key made: whatever a caller chose as a key, it does
    not read as one of another kind."""
    return json.dumps([kind, account_id, *parts])


@dataclass(frozen=True, slots=True)
class Record:
    """A write that is done: a digest of its arguments, and the id of what it made."""

    arguments: str
    id: int


@dataclass(slots=True)
class Hold:
    """What holding a key was worth, known for certain only when it is over. ``doubt`` is for whoever gave the key; None
    where nobody else can have acted under it meanwhile."""

    doubt: str | None = None


@dataclass(slots=True)
class _Held:
    """The lock of a key. It is kept while anybody holds it or waits for it: an unlocked lock may already be
    handed to a waiter."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Ledger:
    """Records by key. While a key is held, an equal one waits, so that equal calls at the same time act once.

    This one is of one process; what Chatwoot stores tells of others. Whoever runs several may share another.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._held: dict[str, _Held] = {}

    async def get(self, key: str) -> Record | None:
        return self._records.get(key)

    async def put(self, key: str, record: Record) -> None:
        self._records[key] = record
        if len(self._records) > MAX_RECORDS:
            self._records.popitem(last=False)

    @asynccontextmanager
    async def holding(self, key: str | None, budget: Budget) -> AsyncGenerator[Hold]:
        """Hold a key; None holds nothing. Raises DeadlineExceeded where an equal call holds it for too long."""
        if key is None:
            yield Hold()
            return
        held = self._held.setdefault(key, _Held())
        held.users += 1
        try:
            await _acquire(held.lock, budget)
            try:
                yield Hold()
            finally:
                held.lock.release()
        finally:
            held.users -= 1
            if not held.users:
                del self._held[key]


async def _acquire(lock: asyncio.Lock, budget: Budget) -> None:
    budget.doing = "waiting for an equal call"
    try:
        async with asyncio.timeout(budget.left):
            await lock.acquire()
    except TimeoutError:
        raise DeadlineExceeded("an equal call took too long", effect=Effect.NONE) from None
