"""The writes: what each stands on, and how its effect is told from all others.

Each function is a case's ``begin``, or makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts.prove.case import Attempt, Begin, There, Try, read
from scripts.prove.direct import Row, email_of
from scripts.prove.place import Place


def _of_text(messages: list[Row], content: str, *, private: bool) -> list[Any]:
    return [row["id"] for row in messages if (row["content"], row["private"]) == (content, private)]


async def create(place: Place) -> Attempt:
    contact_id = await place.direct.make_contact(place.name())

    async def attempt() -> Try:
        content = place.name()
        before = {row["id"] for row in await place.direct.conversations_of(contact_id)}

        async def look(_: Row) -> There:
            new = [row for row in await place.direct.conversations_of(contact_id) if row["id"] not in before]
            messages = [message for row in new for message in await place.direct.messages(row["id"])]
            parts = {
                "conversation": [row["id"] for row in new],
                "message": _of_text(messages, content, private=False),
            }
            return There(parts, new[0] if new else None, ("status", "inbox_id"))

        where = {"inbox_id": place.inbox_id, "contact_id": contact_id}
        return Try({**where, "message": {"content": content}}, look)

    return attempt


def message(*, private: bool, beside: bool) -> Begin:
    """``beside``: somebody of the team has just written the same."""

    async def begin(place: Place) -> Attempt:
        conversation_id = await _conversation(place)

        async def attempt() -> Try:
            content = place.name()
            others: list[int] = []
            if beside:
                others.append(await place.direct.make_message(conversation_id, content, private=private))

            async def look(_: Row) -> There:
                found = _of_text(await place.direct.messages(conversation_id), content, private=private)
                return There({"message": [each for each in found if each not in others]})

            return Try({"conversation_id": conversation_id, "content": content}, look)

        return attempt

    return begin


async def _conversation(place: Place) -> int:
    contact_id = await place.direct.make_contact(place.name())
    return await place.direct.make_conversation(place.inbox_id, contact_id, "pending")


Chosen = tuple[dict[str, Any], Callable[[Row], bool]]
"""Arguments that change a conversation, and whether they hold."""
Choice = Callable[[Place, Row], Chosen]
"""From the conversation as it is."""


def status(_: Place, now: Row) -> Chosen:
    wanted = "pending" if now["status"] == "open" else "open"
    return {"status": wanted}, lambda row: row["status"] == wanted


def priority(_: Place, now: Row) -> Chosen:
    wanted = "low" if now.get("priority") == "high" else "high"
    return {"priority": wanted}, lambda row: row.get("priority") == wanted


def team(place: Place, now: Row) -> Chosen:
    wanted = None if read(now, "team") == place.team else place.team
    return {"team": str(wanted or "none")}, lambda row: read(row, "team") == wanted


def assignee(place: Place, now: Row) -> Chosen:
    wanted = None if read(now, "assignee") == place.me else place.me
    return {"assignee": str(wanted or "none")}, lambda row: read(row, "assignee") == wanted


def labels(place: Place, now: Row) -> Chosen:
    has = place.label in now["labels"]
    return {"remove_labels" if has else "add_labels": [place.label]}, lambda row: (place.label in row["labels"]) != has


def attributes(place: Place, _: Row) -> Chosen:
    wanted = place.name()
    return {"custom_attributes": {"prove": wanted}}, lambda row: row["custom_attributes"].get("prove") == wanted


def update(choices: dict[str, Choice]) -> Begin:
    async def begin(place: Place) -> Attempt:
        conversation_id = await _conversation(place)

        async def attempt() -> Try:
            now = await place.direct.conversation(conversation_id)
            chosen = {part: choose(place, now) for part, choose in choices.items()}

            async def look(_: Row) -> There:
                row = await place.direct.conversation(conversation_id)
                held = {part: [read(row, part)] if holds(row) else [] for part, (_, holds) in chosen.items()}
                return There(held, row, tuple(choices))

            arguments = {name: value for given, _ in chosen.values() for name, value in given.items()}
            return Try({"conversation_id": conversation_id, **arguments}, look)

        return attempt

    return begin


async def save_by_email(place: Place) -> Attempt:
    async def attempt() -> Try:
        name = place.name()
        email = email_of(name)

        async def look(_: Row) -> There:
            return There({"contact": [row["id"] for row in await _with_email(place, email)]})

        return Try({"name": name, "email": email}, look)

    return attempt


async def _with_email(place: Place, email: str) -> list[Row]:
    return [row for row in await place.direct.contacts_like(email, pages=1) if row["email"] == email]


async def save_by_name(place: Place) -> Attempt:
    async def attempt() -> Try:
        first, name = await place.direct.make_contact(place.name()), place.name()

        async def look(_: Row) -> There:
            last = await place.direct.make_contact(place.name())
            rows = await place.direct.contacts_between(first, last)
            ids = [row["id"] for row in rows if row["name"] == name]
            place.direct.contacts_seen.update(ids)
            return There({"contact": ids})

        return Try({"name": name}, look)

    return attempt


async def save_again(place: Place) -> Attempt:
    contact_id = await place.direct.make_contact(place.name())

    async def attempt() -> Try:
        name = place.name()

        async def look(_: Row) -> There:
            held = (await place.direct.contact(contact_id))["name"]
            return There({"name": [held] if held == name else []})

        return Try({"contact_id": contact_id, "name": name}, look)

    return attempt


async def save_into_inbox(place: Place) -> Attempt:
    async def attempt() -> Try:
        contact_id = await place.direct.make_contact(place.name())

        async def look(_: Row) -> There:
            links = (await place.direct.contact(contact_id))["contact_inboxes"]
            return There({"source_id": [each["source_id"] for each in links if each["inbox"]["id"] == place.inbox_id]})

        return Try({"contact_id": contact_id, "inbox": str(place.inbox_id)}, look)

    return attempt


def escalate(steps: frozenset[str]) -> Begin:
    """A conversation that is there: pending where ``status`` is among the steps to be made, else open."""

    async def begin(place: Place) -> Attempt:
        contact_id = await place.direct.make_contact(place.name())
        asked = {"team": place.team, "assignee": place.me, "labels": [place.label], "priority": "high"}
        wanted = {name: value for name, value in asked.items() if name in steps and value not in (None, [None])}

        async def attempt() -> Try:
            status = "pending" if "status" in steps else "open"
            conversation_id = await place.direct.make_conversation(place.inbox_id, contact_id, status)
            content = place.name()

            async def look(_: Row) -> There:
                row = await place.direct.conversation(conversation_id)
                messages = await place.direct.messages(conversation_id)
                said = {"note": _of_text(messages, content, private=True)}
                if "message" in steps:
                    said["message"] = _of_text(messages, content, private=False)
                held = {
                    name: [value] if read(row, name) == value else []
                    for name, value in {"status": "open", **wanted}.items()
                }
                return There({**said, **held}, row, tuple(held))

            arguments = {name: value if name == "labels" else str(value) for name, value in wanted.items()}
            message = {"message": content} if "message" in steps else {}
            return Try({"conversation_id": conversation_id, "summary": content, **message, **arguments}, look)

        return attempt

    return begin


async def escalate_new(place: Place) -> Attempt:
    """A customer whom Chatwoot does not know yet."""

    async def attempt() -> Try:
        name = place.name()
        email = email_of(name)

        async def look(_: Row) -> There:
            contacts = await _with_email(place, email)
            rows = [row for each in contacts for row in await place.direct.conversations_of(each["id"])]
            messages = [message for row in rows for message in await place.direct.messages(row["id"])]
            parts: dict[str, list[Any]] = {
                "contact": [each["id"] for each in contacts],
                "conversation": [row["id"] for row in rows],
                "note": _of_text(messages, name, private=True),
                "status": ["open"] if any(row["status"] == "open" for row in rows) else [],
            }
            return There(parts, rows[0] if rows else None, ("status",))

        return Try({"email": email, "name": name, "inbox": str(place.inbox_id), "summary": name}, look)

    return attempt
