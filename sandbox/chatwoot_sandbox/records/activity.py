"""Rows of messages, and the lines in a conversation that say what changed."""

from __future__ import annotations

from typing import Any

from chatwoot_sandbox.call import Actor, Call
from chatwoot_sandbox.shapes.agents import available_name
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store


def insert_message(store: Store, conversation: Row, *, sender: tuple[str, int] | None = None, **values: Any) -> Row:
    now = store.now()
    new_id = store.insert(
        "messages",
        account_id=conversation["account_id"],
        inbox_id=conversation["inbox_id"],
        conversation_id=conversation["id"],
        sender_type=sender[0] if sender else None,
        sender_id=sender[1] if sender else None,
        created_at=now,
        updated_at=now,
        **values,
    )
    store.update("conversations", conversation["id"], last_activity_at=now, updated_at=now)
    message = store.by_id("messages", new_id)
    if message is None:
        msg = "the message just written is gone"
        raise LookupError(msg)
    return message


def add_activity(store: Store, conversation: Row, text: str) -> None:
    """A line in the conversation that says what changed; written after the answer."""
    store.later(lambda: insert_message(store, conversation, message_type=MessageType.ACTIVITY, content=text))


def assigned_text(actor: Actor, assignee: Row, team: Row | None = None) -> str:
    name = available_name(assignee)
    if team is not None:
        return f"Assigned to {name} via {team['name']} by {actor_name(actor)}"
    if actor.kind == "User" and actor.id == assignee["id"]:
        return f"{name} self-assigned this conversation"
    return f"Assigned to {name} by {actor_name(actor)}"


def actor_name(actor: Actor) -> str:
    return str(actor.row.get("display_name") or actor.row["name"])


def add_first_assignment(call: Call, conversation: Row) -> None:
    """Say who got a new conversation, if anybody did."""
    team = call.store.by_id("teams", conversation["team_id"])
    assignee = call.store.by_id("users", conversation["assignee_id"])
    if assignee is not None:
        add_activity(call.store, conversation, assigned_text(call.actor, assignee, team))
    elif team is not None or conversation["assignee_id"] is not None:  # an unknown assignee's name is blank
        name = team["name"] if team else ""
        add_activity(call.store, conversation, f"Assigned to {name} by {actor_name(call.actor)}")


def add_assignment(call: Call, before: Row, after: Row, team: Row | None = None) -> None:
    """Say who got a conversation, or that nobody has it any more."""
    if before["assignee_id"] == after["assignee_id"]:
        return
    assignee = call.store.by_id("users", after["assignee_id"])
    if assignee is not None:
        add_activity(call.store, after, assigned_text(call.actor, assignee, team))
    elif team is None:
        add_activity(call.store, after, f"Conversation unassigned by {actor_name(call.actor)}")
