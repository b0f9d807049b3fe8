"""What a tool function is given beside its arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiochatwoot import Budget, Chatwoot
from chatwoot_tools.cache import Cache
from chatwoot_tools.directory import Directory
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows. No request can allow more."""

    default_account: int | None = None
    read_only: bool = False
    allowed_accounts: frozenset[int] | None = None
    allowed_inboxes: frozenset[int] | None = None
    stamp: bool = True
    attachments_dir: Path | None = None
    deadline_s: float = 45.0

    def check_account(self, account_id: int) -> None:
        if self.allowed_accounts is not None and account_id not in self.allowed_accounts:
            allowed = ", ".join(map(str, sorted(self.allowed_accounts)))
            text = (
                f"This server is not allowed to use that account. Allowed by CHATWOOT_MCP_ALLOWED_ACCOUNTS: {allowed}."
            )
            raise ToolFailure("not_allowed", text, field="account_id")

    def check_inbox(self, inbox_id: int) -> None:
        if not self.allows_inbox(inbox_id):
            allowed = ", ".join(map(str, sorted(self.allowed_inboxes or ())))
            text = f"This server is not allowed to use that inbox. Allowed by CHATWOOT_MCP_ALLOWED_INBOXES: {allowed}."
            raise ToolFailure("not_allowed", text, field="inbox_id")

    def allows_inbox(self, inbox_id: int) -> bool:
        return self.allowed_inboxes is None or inbox_id in self.allowed_inboxes


@dataclass(frozen=True, slots=True)
class Context:
    """One call: a client and a directory that spend its budget, and what all calls share."""

    client: Chatwoot
    budget: Budget
    directory: Directory
    policy: Policy
    ledger: Ledger
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(slots=True)
class Desk:
    """What all calls of one credential share."""

    client: Chatwoot
    policy: Policy = field(default_factory=Policy)
    cache: Cache = field(default_factory=Cache)
    ledger: Ledger = field(default_factory=Ledger)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def call(self) -> Context:
        """A context for one call; its deadline starts to run now."""
        budget = Budget(self.policy.deadline_s)
        client = self.client.within(budget)
        directory = Directory(client, self.cache, budget)
        return Context(client, budget, directory, self.policy, self.ledger, self.sleep)
