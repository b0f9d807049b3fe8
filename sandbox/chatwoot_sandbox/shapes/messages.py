"""Messages: in their own list, and inside a conversation."""

from __future__ import annotations

from typing import Final

from chatwoot_sandbox.shapes.agents import user_push
from chatwoot_sandbox.shapes.contacts import contact_push
from chatwoot_sandbox.shapes.times import iso, seconds
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store

_UNREAD_CAP: Final = 10


def sender_view(store: Store, message: Row) -> Row | None:
    """A message's author, as pushed to browsers; None for what the system wrote."""
    tables = {"User": "users", "Contact": "contacts", "AgentBot": "agent_bots"}
    table = tables.get(message["sender_type"] or "")
    sender = store.by_id(table, message["sender_id"]) if table else None
    if sender is None:
        return None
    if table == "contacts":
        return contact_push(sender)
    if table == "users":
        return user_push(store, message["account_id"], sender)
    return {"id": sender["id"], "name": sender["name"], "avatar_url": "", "type": "agent_bot"}


def _with_sender(store: Store, message: Row, view: Row) -> Row:
    sender = sender_view(store, message)
    return view if sender is None else {**view, "sender": sender}


def _with_attachments(message: Row, view: Row) -> Row:
    """``attachments``, if there are any. In Chatwoot their address opens the file without a token."""
    kinds = {"image": "image", "audio": "audio", "video": "video"}
    attachments = [
        {
            "id": message["id"] * 100 + number,
            "message_id": message["id"],
            "file_type": kinds.get(upload["media_type"].partition("/")[0], "file"),
            "account_id": message["account_id"],
            "extension": None,
            "data_url": f"http://sandbox.invalid/files/{message['id']}/{upload['name']}",
            "thumb_url": "",
            "file_size": upload["size"],
        }
        for number, upload in enumerate(json_columns.load(message["attachments"]))
    ]
    return {**view, "attachments": attachments} if attachments else view


def _display_id(store: Store, message: Row) -> int:
    conversation = store.by_id("conversations", message["conversation_id"])
    return int(conversation["display_id"]) if conversation else 0


def message_view(store: Store, message: Row, echo_id: object = None) -> Row:
    """The REST shape; ``echo_id`` is sent back and never stored."""
    view: Row = {
        "id": message["id"],
        "content": message["content"],
        "inbox_id": message["inbox_id"],
        "conversation_id": _display_id(store, message),
        "message_type": message["message_type"],
        "content_type": message["content_type"],
        "status": message["status"],
        "content_attributes": json_columns.load(message["content_attributes"]),
        "created_at": seconds(message["created_at"]),
        "private": bool(message["private"]),
        "source_id": message["source_id"],
    }
    if echo_id is not None:
        view["echo_id"] = echo_id
    return _with_sender(store, message, _with_attachments(message, view))


def message_push(store: Store, message: Row, conversation: Row) -> Row:
    """The shape inside a conversation."""
    contact_inbox = store.by_id("contact_inboxes", conversation["contact_inbox_id"])
    view: Row = {
        "id": message["id"],
        "content": message["content"],
        "account_id": message["account_id"],
        "inbox_id": message["inbox_id"],
        "conversation_id": conversation["display_id"],
        "message_type": message["message_type"],
        "created_at": seconds(message["created_at"]),
        "updated_at": iso(message["updated_at"]),
        "private": bool(message["private"]),
        "status": message["status"],
        "source_id": message["source_id"],
        "content_type": message["content_type"],
        "content_attributes": json_columns.load(message["content_attributes"]),
        "sender_type": message["sender_type"],
        "sender_id": message["sender_id"],
        "external_source_ids": {},
        "additional_attributes": json_columns.load(message["additional_attributes"]),
        "processed_message_content": message["content"],
        "sentiment": {},
        "conversation": {
            "assignee_id": conversation["assignee_id"],
            "unread_count": unread_count(store, conversation),
            "last_activity_at": seconds(conversation["last_activity_at"]),
            "contact_inbox": {"source_id": contact_inbox["source_id"] if contact_inbox else None},
        },
    }
    return _with_sender(store, message, view)


def unread_count(store: Store, conversation: Row) -> int:
    """Incoming messages since the agents last looked, at most 10."""
    unread = store.count(
        "SELECT count(*) FROM messages WHERE conversation_id = ? AND message_type = ? AND created_at > ?",
        conversation["id"],
        MessageType.INCOMING,
        conversation["agent_last_seen_at"] or 0,
    )
    return min(unread, _UNREAD_CAP)
