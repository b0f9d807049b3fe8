"""Any order of creates, replies, labels, assignments, faults and restarts: what we believe exists is what exists."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import ToolFailure
from support import Bench

pytestmark = pytest.mark.long

FAULTS: Final = [
    Fault("status", status=500), Fault("status", status=502), Fault("status", status=504), Fault("status", status=429),
    Fault("status_after", status=500), Fault("status_after", status=503), Fault("status_after", status=504),
    Fault("html"), Fault("cut_before"), Fault("cut_after"), Fault("broken"),
    Fault("redirect", location="https://elsewhere.test/"),
]  # fmt: skip
LABELS: Final = ["vip", "billing", "bug"]
KEYS: Final = ["k1", "k2", None]


@dataclass
class Believed:
    """What we believe of a conversation that we opened."""

    messages: list[str] = field(default_factory=list[str])
    labels: set[str] = field(default_factory=set[str])
    assignee: int | None = None


class Chats(RuleBasedStateMachine):
    conversations = Bundle("conversations")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.sandbox = Sandbox()
        self.sandbox.store.execute("UPDATE inboxes SET enable_auto_assignment = 0")
        self.bench = Bench(self.sandbox)
        self.believed: dict[int, Believed] = {}
        self.by_key: dict[str, int] = {}
        self.sent_by_key: dict[tuple[int, str], str] = {}
        self.written = 0

    def teardown(self) -> None:
        self.sandbox.close()
        self.loop.close()

    def run(self, call: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any] | ToolFailure:
        async def told() -> dict[str, Any] | ToolFailure:
            from chatwoot_mcp.errors import as_failure

            try:
                return await call
            except Exception as error:  # noqa: BLE001 - what the model would read
                failure = as_failure(error)
                assert failure.code != "internal_error"
                return failure

        return self.loop.run(told())

    @initialize()
    def warm(self) -> None:
        self.run(self.bench.call("get_workspace", include=["inboxes", "agents", "labels"]))

    @rule(target=conversations, key=st.sampled_from(KEYS))
    def create(self, key: str | None) -> Any:
        before = self.existing()
        arguments = {"inbox_id": 2, "contact_id": 1, **({"idempotency_key": key} if key else {})}
        said = self.run(self.bench.call(**arguments))
        new = self.existing() - before
        if isinstance(said, ToolFailure):
            assert len(new) <= (1 if said.code == "outcome_unknown" else 0)
        else:
            made = said["conversation"]["id"]
            assert new == ({made} if said["outcome"] in {"created", "recovered"} else set())
            assert key is None or self.by_key.get(key, made) == made
            new = new or {made}
        for number in new:
            self.believed.setdefault(number, Believed())
            if key is not None:
                self.by_key[key] = number
        return multiple(*new)

    @rule(number=conversations, key=st.sampled_from(KEYS), private=st.booleans())
    def write(self, number: int, key: str | None, private: bool) -> None:
        self.written += 1
        where = (number, f"{private}{key}")
        content = self.sent_by_key.get(where, f"message {self.written}") if key else f"message {self.written}"
        tool = "add_private_note" if private else "reply_to_conversation"
        more = {"idempotency_key": f"{private}{key}"} if key else {}
        before = self.messages(number)
        said = self.run(self.bench.call(tool, conversation_id=number, content=content, **more))
        new = self.messages(number)[len(before) :]
        if isinstance(said, ToolFailure):
            assert new in ([], [content] if said.code == "outcome_unknown" else [])
        else:
            assert new == ([content] if said["outcome"] in {"sent", "recovered"} else [])
            assert said["message"]["content"] == content
        self.believed[number].messages += new
        if key and new:
            self.sent_by_key[where] = content

    @rule(number=conversations, add=st.sampled_from(LABELS), remove=st.sampled_from(LABELS))
    def label(self, number: int, add: str, remove: str) -> None:
        arguments = {"add_labels": [add], "remove_labels": [remove]}
        said = self.run(self.bench.call("update_conversation", conversation_id=number, **arguments))
        before = self.believed[number].labels
        after = (before | {add}) - {remove}
        if not isinstance(said, ToolFailure):
            assert set(said["conversation"].get("labels", [])) == after
        elif not said.retryable:
            after = before
        self.believed[number].labels = self.either(before, after, self.labels(number))

    @rule(number=conversations, assignee=st.sampled_from([1, 2, None]))
    def assign(self, number: int, assignee: int | None) -> None:
        wanted = "none" if assignee is None else str(assignee)
        said = self.run(self.bench.call("update_conversation", conversation_id=number, assignee=wanted))
        before = self.believed[number].assignee
        if not isinstance(said, ToolFailure):
            assert said["conversation"].get("assignee", {}).get("id") == assignee
            before = assignee
        self.believed[number].assignee = self.either(before, assignee, self.assignee(number))

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 4))
    def fault_on(self, fault: Fault, times: int) -> None:
        for _ in range(times):
            self.sandbox.faults.add(fault)

    @rule()
    def fault_off(self) -> None:
        self.sandbox.faults.clear()

    @rule()
    def restart(self) -> None:
        self.bench = Bench(self.sandbox)

    @invariant()
    def what_we_believe_exists_is_what_exists(self) -> None:
        assert self.existing() == set(self.believed)
        for number, believed in self.believed.items():
            assert self.messages(number) == believed.messages
            assert self.labels(number) == believed.labels
            assert self.assignee(number) == believed.assignee

    @staticmethod
    def either(before: Any, after: Any, now: Any) -> Any:
        """After a failed change either may hold, and nothing else."""
        assert now in (before, after)
        return now

    def existing(self) -> set[int]:
        query = "SELECT display_id FROM conversations WHERE account_id = 1 AND display_id > 41"
        return {row["display_id"] for row in self.sandbox.store.rows(query)}

    def messages(self, number: int) -> list[str]:
        query = (
            "SELECT content FROM messages JOIN conversations ON conversations.id = conversation_id "
            "WHERE display_id = ? AND conversations.account_id = 1 AND message_type = 1 ORDER BY messages.id"
        )
        return [row["content"] for row in self.sandbox.store.rows(query, number)]

    def labels(self, number: int) -> set[str]:
        query = (
            "SELECT title FROM conversation_labels JOIN conversations ON conversations.id = conversation_id "
            "WHERE display_id = ? AND account_id = 1"
        )
        return {row["title"] for row in self.sandbox.store.rows(query, number)}

    def assignee(self, number: int) -> int | None:
        query = "SELECT assignee_id FROM conversations WHERE display_id = ? AND account_id = 1"
        row = self.sandbox.store.row(query, number)
        return row["assignee_id"] if row else None


Chats.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestChats = Chats.TestCase
