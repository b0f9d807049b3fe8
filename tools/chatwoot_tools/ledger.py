"""What this process did under which idempotency key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

MAX_RECORDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Record:
    """A write that is done: a digest of its arguments, and the id of what it made."""

    arguments: str
    id: int


class Ledger:
    """Records by key. While a key is held, an equal one waits, so that equal calls at the same time act once."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def put(self, key: str, record: Record) -> None:
        self._records[key] = record
        if len(self._records) > MAX_RECORDS:
            self._records.popitem(last=False)

    @asynccontextmanager
    async def holding(self, key: str | None) -> AsyncGenerator[None]:
        """Hold a key; None holds nothing."""
        if key is None:
            yield
            return
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(key, None)
