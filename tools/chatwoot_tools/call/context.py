"""What a tool function is given beside its arguments, and what all calls share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from aiochatwoot import Budget, Chatwoot
from chatwoot_tools.call.cache import Cache
from chatwoot_tools.call.directory import Directory
from chatwoot_tools.call.ledger import Hold, Ledger
from chatwoot_tools.failures.codes import ToolFailure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows. No request can allow more.

    ``narrows`` is the policy of the whole server, where this one is what a caller's key leaves of it; ``own_inboxes``
    is then the key's own limit.
    """

    default_account: int | None = None
    read_only: bool = False
    allowed_accounts: frozenset[int] | None = None
    allowed_inboxes: frozenset[int] | None = None
    stamp: bool = True
    attachments_dir: Path | None = None
    deadline_s: float = 45.0
    narrows: Policy | None = None
    own_inboxes: frozenset[int] | None = None

    def check_account(self, account_id: int) -> None:
        if not _within(self.allowed_accounts, account_id):
            is_own = self.narrows is not None and _within(self.narrows.allowed_accounts, account_id)
            by = _limit("accounts") if is_own else "CHATWOOT_MCP_ALLOWED_ACCOUNTS"
            text = f"This server is not allowed to use that account. Allowed by {by}: {_list(self.allowed_accounts)}."
            raise ToolFailure("not_allowed", text, field="account_id")

    def check_inbox(self, inbox_id: int) -> None:
        """Whether there is such an inbox is not asked: one that is hidden and none at all read the same."""
        if not self.allows_inbox(inbox_id):
            by = _limit("inboxes") if not _within(self.own_inboxes, inbox_id) else _INBOXES
            text = f"This server is not allowed to use that inbox. Allowed by {by}: {_list(self.allowed_inboxes)}."
            raise ToolFailure("not_allowed", text, field="inbox_id")

    @property
    def hides(self) -> bool:
        """Whether there is anything that a caller must not tell from what does not exist."""
        return self.allowed_inboxes is not None

    @property
    def allowing(self) -> str:
        """The inboxes that may be used, and what limits them to these."""
        server = self.narrows or self
        limits = [_INBOXES] if server.allowed_inboxes is not None else []
        limits += [_limit("inboxes")] if self.own_inboxes is not None else []
        return f"Inboxes allowed by {' and '.join(limits)}: {_list(self.allowed_inboxes)}."

    def allows_inbox(self, inbox_id: int) -> bool:
        return _within(self.allowed_inboxes, inbox_id)


_INBOXES: Final = "CHATWOOT_MCP_ALLOWED_INBOXES"


def _within(allowed: frozenset[int] | None, value: int) -> bool:
    return allowed is None or value in allowed


def _limit(name: str) -> str:
    return f"the limit `{name}` of the caller's key or subject"


def _list(allowed: frozenset[int] | None) -> str:
    return ", ".join(map(str, sorted(allowed or ()))) or "none"


@dataclass(slots=True)
class Marks:
    """Whether this Chatwoot keeps our mark on messages: 4.7 and older drop it. None until an answer told."""

    kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """One call: a client and a directory that spend its budget, and what all calls share."""

    client: Chatwoot
    budget: Budget
    directory: Directory
    policy: Policy
    ledger: Ledger
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    scope: str = ""
    marks: Marks = field(default_factory=Marks)
    holds: list[Hold] = field(default_factory=list[Hold])

    @asynccontextmanager
    async def holding(self, key: str | None) -> AsyncGenerator[None]:
        """Hold a key of the ledger; ``holds`` then tells what that was worth. Raises DeadlineExceeded."""
        async with self.ledger.holding(key, self.budget) as hold:
            self.holds.append(hold)
            yield


@dataclass(slots=True)
class Desk:
    """What all calls of one credential share. ``scope`` keeps its idempotency keys apart from those of others."""

    client: Chatwoot
    policy: Policy = field(default_factory=Policy)
    cache: Cache = field(default_factory=Cache)
    ledger: Ledger = field(default_factory=Ledger)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    scope: str = ""
    marks: Marks = field(default_factory=Marks)
    _calls: int = 0
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set["asyncio.Task[Any]"])

    def open_call(self) -> Context:
        """A context for one call; its deadline starts to run now."""
        budget = Budget(self.policy.deadline_s)
        client = self.client.within(budget)
        directory = Directory(client, self.cache, budget, self.policy.allows_inbox)
        return Context(client, budget, directory, self.policy, self.ledger, self.sleep, self.scope, self.marks)

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way, in the foreground or behind it."""
        return not self._calls and not self._under_way

    @contextmanager
    def in_use(self) -> Generator[None]:
        """While a call is under way."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def run_write(self, work: Coroutine[Any, Any, T], budget: Budget) -> T:
        """Await the work of one call. When cancelled it ends at once if it has written nothing.

        Else it goes on in the background, within its deadline: the write under way is finished, and a lost answer
        looked for, but no further write is begun.
        """
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            budget.withdraw()
            if not budget.has_written:
                task.cancel()
            raise

    async def aclose(self) -> None:
        """Wait for what has begun to write; each of them ends within its deadline."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def abandon(self) -> None:
        """Stop at once what has begun to write. What it did is then not known."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
