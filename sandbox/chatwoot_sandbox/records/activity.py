"""Rows of messages, and the lines that tell in a conversation what changed."""

from __future__ import annotations

from typing import Any

from chatwoot_sandbox.shapes.conversations import ACTIVITY, by_id
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
    message = by_id(store, "messages", new_id)
    if message is None:
        msg = "the message just written is gone"
        raise LookupError(msg)
    return message


def add_activity(store: Store, conversation: Row, text: str) -> None:
    """What changed, as a line in the conversation; written after the answer."""
    store.later(lambda: insert_message(store, conversation, message_type=ACTIVITY, content=text))
