"""The JSON shapes of contacts, messages and conversations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.shapes.inboxes import agent_view, slim_inbox, team_view
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

INCOMING, OUTGOING, ACTIVITY, TEMPLATE = range(4)
_UNREAD_CAP: Final = 10
_DAY: Final = 24 * 3600.0


def iso(moment: float | None) -> str | None:
    """``2026-06-17T12:00:00.000Z``."""
    if moment is None:
        return None
    when = datetime.fromtimestamp(moment, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def seconds(moment: float | None) -> int:
    """Unix seconds; 0 means none."""
    return int(moment or 0)


def by_id(store: Store, table: str, record_id: object) -> Row | None:
    return store.row(f"SELECT * FROM {table} WHERE id = ?", record_id)  # noqa: S608 - table names are ours


def contact_view(store: Store, contact: Row, *, contact_inboxes: bool = False) -> Row:
    """A contact as in ``meta.sender``; ``last_activity_at`` is missing when there is none."""
    view: Row = {
        "additional_attributes": json_columns.load(contact["additional_attributes"]),
        "availability_status": "offline",
        "email": contact["email"],
        "id": contact["id"],
        "name": contact["name"],
        "phone_number": contact["phone_number"],
        "blocked": bool(contact["blocked"]),
        "identifier": contact["identifier"],
        "thumbnail": "",
        "custom_attributes": json_columns.load(contact["custom_attributes"]),
        "created_at": seconds(contact["created_at"]),
    }
    if store.version.before(4, 0):
        del view["blocked"]
    if contact["last_activity_at"] is not None:
        view["last_activity_at"] = seconds(contact["last_activity_at"])
    if contact_inboxes:
        view["contact_inboxes"] = [
            contact_inbox_view(store, row)
            for row in store.rows("SELECT * FROM contact_inboxes WHERE contact_id = ? ORDER BY id", contact["id"])
        ]
    return view


def contact_inbox_view(store: Store, contact_inbox: Row) -> Row:
    inbox = by_id(store, "inboxes", contact_inbox["inbox_id"])
    return {"source_id": contact_inbox["source_id"], "inbox": slim_inbox(inbox) if inbox else None}


def contact_push(contact: Row) -> Row:
    return {
        "additional_attributes": json_columns.load(contact["additional_attributes"]),
        "custom_attributes": json_columns.load(contact["custom_attributes"]),
        "email": contact["email"],
        "id": contact["id"],
        "identifier": contact["identifier"],
        "name": contact["name"],
        "phone_number": contact["phone_number"],
        "thumbnail": "",
        "blocked": bool(contact["blocked"]),
        "type": "contact",
    }


def available_name(user: Row) -> str:
    return str(user["display_name"] or user["name"])


def user_push(store: Store, account_id: int, user: Row) -> Row:
    member = store.row(
        "SELECT availability FROM account_users WHERE account_id = ? AND user_id = ?", account_id, user["id"]
    )
    return {
        "id": user["id"],
        "name": user["name"],
        "available_name": available_name(user),
        "avatar_url": "",
        "type": "user",
        "availability_status": member["availability"] if member else "offline",
        "thumbnail": "",
    }


def sender_view(store: Store, message: Row) -> Row | None:
    """The push shape of a message's author; None for what the system wrote."""
    tables = {"User": "users", "Contact": "contacts", "AgentBot": "agent_bots"}
    table = tables.get(message["sender_type"] or "")
    sender = by_id(store, table, message["sender_id"]) if table else None
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
    """``attachments``, where there are any; the address would open the file without a token."""
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
    conversation = by_id(store, "conversations", message["conversation_id"])
    return int(conversation["display_id"]) if conversation else 0


def message_view(store: Store, message: Row, echo_id: object = None) -> Row:
    """The REST shape; ``echo_id`` is given back and never stored."""
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
    contact_inbox = by_id(store, "contact_inboxes", conversation["contact_inbox_id"])
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
    found = store.row(
        "SELECT count(*) AS n FROM messages WHERE conversation_id = ? AND message_type = 0 AND created_at > ?",
        conversation["id"],
        conversation["agent_last_seen_at"] or 0,
    )
    return min(int(found["n"]), _UNREAD_CAP) if found else 0


def labels_of(store: Store, conversation_id: int) -> list[str]:
    rows = store.rows("SELECT title FROM conversation_labels WHERE conversation_id = ? ORDER BY rowid", conversation_id)
    return [str(row["title"]) for row in rows]


def _reply_window(inbox: Row) -> float | None:
    """Seconds after the customer's last message in which one may answer; None for no limit."""
    channel: Row = json_columns.load(inbox["channel"])
    kind = inbox["channel_type"]
    if kind == "Channel::Api":
        attributes: Row = channel.get("additional_attributes") or {}
        hours = attributes.get("agent_reply_time_window")
        return float(hours) * 3600 if hours else None
    if kind == "Channel::TwilioSms":
        return _DAY if channel.get("medium") == "whatsapp" else None
    if kind == "Channel::Tiktok":
        return 2 * _DAY
    return _DAY if kind in {"Channel::Whatsapp", "Channel::FacebookPage", "Channel::Instagram"} else None


def can_reply(store: Store, conversation: Row, inbox: Row) -> bool:
    window = _reply_window(inbox)
    if window is None:
        return True
    last = store.row(
        "SELECT max(created_at) AS at FROM messages WHERE conversation_id = ? AND message_type = 0",
        conversation["id"],
    )
    return bool(last and last["at"] is not None and store.now() - last["at"] < window)


def _last_message(store: Store, conversation: Row, *, activities: bool) -> Row | None:
    condition = "" if activities else "AND message_type <> 2"
    message = store.row(
        f"SELECT * FROM messages WHERE conversation_id = ? {condition} ORDER BY created_at DESC, id DESC LIMIT 1",  # noqa: S608
        conversation["id"],
    )
    return None if message is None else message_push(store, message, conversation)


def bot_slim(bot: Row) -> Row:
    return {
        "id": bot["id"],
        "name": bot["name"],
        "description": bot["description"],
        "thumbnail": "",
        "bot_type": "webhook",
    }


def _assignee(store: Store, conversation: Row) -> Row:
    """``assignee`` and ``assignee_type``; neither when nobody of the account is assigned."""
    bot = by_id(store, "agent_bots", conversation["assignee_agent_bot_id"])
    if bot is not None:
        return {"assignee": bot_slim(bot), **_assignee_type(store, "AgentBot")}
    if conversation["assignee_id"] is None:
        return {}
    agent = agent_view(store, conversation["account_id"], conversation["assignee_id"])
    return {} if agent is None else {"assignee": agent, **_assignee_type(store, "User")}


def _assignee_type(store: Store, kind: str) -> Row:
    return {} if store.version.before(4, 11) else {"assignee_type": kind}


def _team(store: Store, actor: Actor, conversation: Row) -> Row:
    team = store.row(
        "SELECT * FROM teams WHERE id = ? AND account_id = ?",
        conversation["team_id"],
        conversation["account_id"],
    )
    return {} if team is None else {"team": team_view(store, actor, team)}


def _meta(store: Store, actor: Actor, conversation: Row, inbox: Row, contact: Row) -> Row:
    contact_inbox = by_id(store, "contact_inboxes", conversation["contact_inbox_id"])
    return {
        "sender": contact_view(store, contact),
        "channel": inbox["channel_type"],
        **_assignee(store, conversation),
        **_team(store, actor, conversation),
        "hmac_verified": bool(contact_inbox and contact_inbox["hmac_verified"]),
    }


def conversation_view(store: Store, actor: Actor, conversation: Row) -> Row:
    """A conversation as every endpoint shows it. Raises InternalError when a bot looks at one with a team."""
    inbox = by_id(store, "inboxes", conversation["inbox_id"])
    contact = by_id(store, "contacts", conversation["contact_id"])
    if inbox is None or contact is None:
        msg = "conversation without inbox or contact"
        raise LookupError(msg)
    last = _last_message(store, conversation, activities=True)
    times: dict[str, Any] = {
        key: seconds(conversation[key])
        for key in ("agent_last_seen_at", "assignee_last_seen_at", "contact_last_seen_at")
    }
    view = {
        "meta": _meta(store, actor, conversation, inbox, contact),
        "id": conversation["display_id"],
        "messages": [] if last is None else [last],
        "account_id": conversation["account_id"],
        "uuid": conversation["uuid"],
        "additional_attributes": json_columns.load(conversation["additional_attributes"]),
        **times,
        "can_reply": can_reply(store, conversation, inbox),
        "custom_attributes": json_columns.load(conversation["custom_attributes"]),
        "inbox_id": conversation["inbox_id"],
        "labels": labels_of(store, conversation["id"]),
        "muted": bool(contact["blocked"]),
        "snoozed_until": iso(conversation["snoozed_until"]),
        "status": conversation["status"],
        "created_at": seconds(conversation["created_at"]),
        "updated_at": float(conversation["updated_at"]),
        "timestamp": seconds(conversation["last_activity_at"]),
        "first_reply_created_at": seconds(conversation["first_reply_created_at"]),
        "unread_count": unread_count(store, conversation),
        "last_non_activity_message": _last_message(store, conversation, activities=False),
        "last_activity_at": seconds(conversation["last_activity_at"]),
        "priority": conversation["priority"],
        "waiting_since": seconds(conversation["waiting_since"]),
        "sla_policy_id": None,
    }
    if store.version.before(4, 0):
        del view["updated_at"]
    return view
