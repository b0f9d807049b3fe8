"""Mixed calls, many at a time, against a Chatwoot that misbehaves: and the books are balanced afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiochatwoot import Chatwoot, Transport
from chatwoot_mcp.errors import as_failure
from chatwoot_tools import Desk, Policy
from chatwoot_tools.registry import TOOLS

Rows = Callable[[str], list[Any]]
"""Runs an SQL query on the sandbox's data."""

REQUEST_S: Final = 2.0
_TOOLS: Final = {tool.name: tool for tool in TOOLS}
_WEIGHTS: Final = {
    "create_conversation": 8,
    "reply_to_conversation": 8,
    "add_private_note": 6,
    "save_contact": 6,
    "escalate_to_human": 4,
    "update_conversation": 8,
    "get_conversation": 20,
    "find_conversations": 15,
    "find_contacts": 15,
    "get_workspace": 10,
}


@dataclass(frozen=True)
class Outcome:
    """What a call with this mark said. ``code`` is None where it succeeded, ``steps`` of an escalation alone.

    It keeps no error: its traceback would keep all that the call held.
    """

    tool: str
    mark: str
    code: str | None
    steps: dict[str, str]
    text: str


@dataclass
class Books:
    """``wrong`` names every call whose word and effect differ."""

    outcomes: list[Outcome]
    wrong: list[str] = field(default_factory=list[str])

    @property
    def codes(self) -> Counter[str]:
        return Counter(each.code or "ok" for each in self.outcomes)


class Soak:
    """``calls`` of all tools; each write carries a mark of its own, by which its effect is counted."""

    def __init__(self, base_url: str, seed: int, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._drawn = random.Random(seed)  # noqa: S311 - to be repeated is what it is for
        transport = Transport(base_url, "sandbox-admin", request_s=REQUEST_S, sleep=sleep)
        self._desk = Desk(Chatwoot(transport), Policy(deadline_s=30), sleep=sleep)
        self._slots = asyncio.Semaphore(1)
        self.outcomes: list[Outcome] = []

    async def run(self, calls: int, at_once: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        drawn = [self._draw(len(self.outcomes) + number) for number in range(calls)]
        self.outcomes += await asyncio.gather(*(self._call(*each) for each in drawn))

    async def aclose(self) -> None:
        await self._desk.aclose()
        await self._desk.client.aclose()

    def _draw(self, number: int) -> tuple[str, str, dict[str, Any]]:
        tool = self._drawn.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        mark = f"soak-{number}"
        conversation_id = self._drawn.randint(5, 30)
        match tool:
            case "create_conversation":
                contact_id = self._drawn.randint(10, 30)
                more = {"idempotency_key": mark} if self._drawn.random() < 0.5 else {}
                arguments: dict[str, Any] = {
                    "inbox_id": 2,
                    "contact_id": contact_id,
                    "message": {"content": mark},
                    **more,
                }
            case "reply_to_conversation" | "add_private_note":
                arguments = {"conversation_id": conversation_id, "content": mark, "idempotency_key": mark}
            case "save_contact":
                arguments = {"email": f"{mark}@soak.test", "name": mark}
            case "escalate_to_human":
                arguments = {"email": f"{mark}@soak.test", "inbox": "2", "summary": mark, "priority": "high"}
            case "update_conversation":
                arguments = {"conversation_id": conversation_id, "priority": self._drawn.choice(["low", "high"])}
            case "get_conversation":
                arguments = {"conversation_id": conversation_id}
            case "find_contacts":
                arguments = {"email": "jane@customers.test"}
            case _:
                arguments = {}
        return tool, mark, arguments

    async def _call(self, tool: str, mark: str, arguments: dict[str, Any]) -> Outcome:
        async with self._slots:
            context = self._desk.open_call()
            try:
                work = _TOOLS[tool].call(arguments, context)
                result = await self._desk.run_write(work, context.budget)
                steps = {step.step: step.status for step in getattr(result, "steps", ())}
                return Outcome(tool, mark, None, steps, result.model_dump_json(exclude_none=True))
            except Exception as error:  # noqa: BLE001 - whatever it was is what it said
                told = as_failure(error)
                return Outcome(tool, mark, told.code, {}, told.text)


def balance(outcomes: list[Outcome], rows: Rows) -> Books:
    """Compare what each call said with what it did."""
    messages = Counter(row["content"] for row in rows("SELECT content FROM messages WHERE content LIKE 'soak-%'"))
    contacts = Counter(row["email"] for row in rows("SELECT email FROM contacts WHERE email LIKE 'soak-%'"))
    of_contact = Counter(
        row["email"]
        for row in rows("SELECT email FROM conversations JOIN contacts ON contacts.id = conversations.contact_id")
    )
    books = Books(outcomes)
    for each in outcomes:
        email = f"{each.mark}@soak.test"
        match each.tool:
            case "create_conversation" | "reply_to_conversation" | "add_private_note":
                effects = [messages[each.mark]]
            case "save_contact":
                effects = [contacts[email]]
            case "escalate_to_human":
                effects = [messages[each.mark], contacts[email], of_contact[email]]
            case _:
                effects = []
        if not _is_true(each, effects):
            books.wrong.append(f"{each.tool} {each.mark}: {effects}, and said {each.code}: {each.text} {each.steps}")
    books.wrong += [f"unforeseen: {each}" for each in outcomes if each.code == "internal_error"]
    return books


def _is_true(outcome: Outcome, effects: list[int]) -> bool:
    if any(effect > 1 for effect in effects):
        return False
    if outcome.code == "outcome_unknown":
        return True
    if outcome.tool == "escalate_to_human":
        if outcome.code is not None:
            return effects[0] == effects[2] == 0
        return effects[1:] == [1, 1] and (outcome.steps["note"] != "done" or effects[0] == 1)
    return all(effect == (1 if outcome.code is None else 0) for effect in effects)
