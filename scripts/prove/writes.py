"""The writes: what each stands on, and how its effect is told from all others.

Each function is a case's ``begin``, or makes one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scripts.prove.case import Attempt, There, Try, read
from scripts.prove.direct import Row
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


def message(*, private: bool, beside: bool) -> Callable[[Place], Awaitable[Attempt]]:
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
    return await place.direct.make_conversation(place.inbox_id, contact_id)


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


def update(part: str, choose: Choice) -> Callable[[Place], Awaitable[Attempt]]:
    async def begin(place: Place) -> Attempt:
        conversation_id = await _conversation(place)

        async def attempt() -> Try:
            arguments, holds = choose(place, await place.direct.conversation(conversation_id))

            async def look(_: Row) -> There:
                row = await place.direct.conversation(conversation_id)
                return There({part: [read(row, part)] if holds(row) else []}, row, (part,))

            return Try({"conversation_id": conversation_id, **arguments}, look)

        return attempt

    return begin


async def save_by_email(place: Place) -> Attempt:
    async def attempt() -> Try:
        name = place.name()
        email = f"{name.replace(' ', '-')}@example.test"

        async def look(_: Row) -> There:
            return There({"contact": [row["id"] for row in await _with_email(place, email)]})

        return Try({"name": name, "email": email}, look)

    return attempt


async def _with_email(place: Place, email: str) -> list[Row]:
    return [row for row in await place.direct.contacts_like(email, pages=1) if row["email"] == email]


async def save_by_name(place: Place) -> Attempt:
    async def attempt() -> Try:
        name = place.name()

        async def look(_: Row) -> There:
            rows = await place.direct.contacts_like(name, pages=1)
            return There({"contact": [row["id"] for row in rows if row["name"] == name]})

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


async def escalate(place: Place) -> Attempt:
    """A conversation that is there and pending: every step but contact and conversation."""
    contact_id = await place.direct.make_contact(place.name())
    asked = {"team": place.team, "assignee": place.me, "labels": place.label, "priority": "high"}
    given = {name: value for name, value in asked.items() if value is not None}

    async def attempt() -> Try:
        conversation_id = await place.direct.make_conversation(place.inbox_id, contact_id)
        content = place.name()

        async def look(_: Row) -> There:
            row = await place.direct.conversation(conversation_id)
            messages = await place.direct.messages(conversation_id)
            held = {name: read(row, name) for name in ("status", *given)}
            wanted = {"status": "open", **given, **({"labels": [place.label]} if "labels" in given else {})}
            parts = {
                "message": _of_text(messages, content, private=False),
                "note": _of_text(messages, content, private=True),
                **{name: [value] if value == wanted[name] else [] for name, value in held.items()},
            }
            return There(parts, row, ("status", *given))

        texts = {name: str(given[name]) for name in ("team", "assignee", "priority") if name in given}
        labels = {"labels": [place.label]} if "labels" in given else {}
        said = {"summary": content, "message": content}
        return Try({"conversation_id": conversation_id, **said, **texts, **labels}, look)

    return attempt


async def escalate_new(place: Place) -> Attempt:
    """A customer whom Chatwoot does not know yet."""

    async def attempt() -> Try:
        name = place.name()
        email = f"{name.replace(' ', '-')}@example.test"

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
