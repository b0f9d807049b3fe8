"""What an endpoint is given: who calls, in which account, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from chatwoot_sandbox.rails import leading_int
from chatwoot_sandbox.store.store import Row, Store


@dataclass(frozen=True, slots=True)
class Actor:
    """The owner of the token. ``role`` is a person's role in the account, None for a bot."""

    kind: Literal["User", "AgentBot"]
    row: Row
    role: Literal["administrator", "agent"] | None

    @property
    def id(self) -> int:
        return int(self.row["id"])

    @property
    def is_bot(self) -> bool:
        return self.kind == "AgentBot"


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request inside an account.

    ``path`` holds the address's placeholders as text, ``query`` every value of each query parameter (``labels[]``
    keeps its brackets), ``body`` the decoded JSON object ({} when there is none).
    """

    store: Store
    account: Row
    actor: Actor
    path: dict[str, str]
    query: dict[str, list[str]]
    body: dict[str, Any]

    @property
    def account_id(self) -> int:
        return int(self.account["id"])

    def path_id(self, name: str) -> int:
        """A path value as Rails casts it: its leading digits. Without any, raises ResourceNotFound."""
        return leading_int(self.path[name])

    def one(self, name: str) -> str | None:
        """A query parameter's last value."""
        return self.query[name][-1] if self.query.get(name) else None
