"""The tools that read: what they show is what is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from scripts.prove.case import Attempt, Begin, Case, There, Try
from scripts.prove.direct import Direct, Row
from scripts.prove.place import Place
from scripts.prove.proxy import Wanted


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is read: a contact with one conversation of two messages."""

    name: str
    contact_id: int
    conversation_id: int


_Arguments = Callable[[_Subject], dict[str, Any]]
_Both = Callable[[Direct, Row, _Subject], Awaitable[tuple[list[Any], list[Any]]]]
"""What a result shows, and what is there."""


def _reading(arguments: _Arguments, both: _Both) -> Begin:
    async def begin(place: Place) -> Attempt:
        name = place.name()
        contact_id = await place.direct.make_contact(name)
        conversation_id = await place.direct.make_conversation(place.inbox_id, contact_id, "open")
        subject = _Subject(name, contact_id, conversation_id)
        for _ in range(2):
            await place.direct.make_message(conversation_id, place.name(), private=False)

        async def look(result: Row) -> There:
            if not result:
                return There()
            shown, there = await both(place.direct, result, subject)
            return There(wrong=() if shown == there else (f"shows {shown}, there is {there}",))

        async def attempt() -> Try:
            return Try(arguments(subject), look)

        return attempt

    return begin


async def _messages(direct: Direct, result: Row, subject: _Subject) -> tuple[list[Any], list[Any]]:
    rows = [row for row in await direct.messages(subject.conversation_id) if row["message_type"] == 1]
    shown = [(row["id"], row.get("content")) for row in result["messages"] if row["kind"] == "outgoing"]
    return shown, [(row["id"], row["content"]) for row in rows]


async def _conversations(direct: Direct, result: Row, subject: _Subject) -> tuple[list[Any], list[Any]]:
    rows = await direct.conversations_of(subject.contact_id)
    return [(row["id"], row["status"]) for row in result["conversations"]], [(row["id"], row["status"]) for row in rows]


async def _contacts(direct: Direct, result: Row, subject: _Subject) -> tuple[list[Any], list[Any]]:
    row = await direct.contact(subject.contact_id)
    return [(each["id"], each.get("name")) for each in result["contacts"]], [(row["id"], row["name"])]


async def _inboxes(direct: Direct, result: Row, _: _Subject) -> tuple[list[Any], list[Any]]:
    rows = (await direct.get("inboxes"))["payload"]
    shown = sorted((row["id"], row["name"]) for row in result["inboxes"])
    return shown, sorted((row["id"], row["name"]) for row in rows)


def _read(tool: str, path: str, arguments: _Arguments, both: _Both) -> Case:
    return Case(tool, "read", "", Wanted("", path), _reading(arguments, both), takes_key=False)


READS: Final = (
    _read("get_conversation", r"/conversations/\d+", lambda of: {"conversation_id": of.conversation_id}, _messages),
    _read(
        "find_conversations",
        r"/conversations(/filter)?(\?|$)",
        lambda of: {"contact_id": of.contact_id, "status": "all"},
        _conversations,
    ),
    _read("find_contacts", r"/contacts/search", lambda of: {"query": of.name}, _contacts),
    _read("get_workspace", r"/inboxes(\?|$)", lambda _: {}, _inboxes),
)
