"""A conversation, with who it is with and who has it."""

from __future__ import annotations

from typing import Any

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.shapes.agent_bots import slim_agent_bot
from chatwoot_sandbox.shapes.agents import agent_view
from chatwoot_sandbox.shapes.contacts import contact_view
from chatwoot_sandbox.shapes.labels import labels_of
from chatwoot_sandbox.shapes.messages import message_push, unread_count
from chatwoot_sandbox.shapes.reply_window import can_reply
from chatwoot_sandbox.shapes.teams import team_view
from chatwoot_sandbox.shapes.times import iso, seconds
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store


def _last_message(store: Store, conversation: Row, *, activities: bool) -> Row | None:
    condition = "" if activities else f"AND message_type <> {MessageType.ACTIVITY:d}"
    message = store.row(
        f"SELECT * FROM messages WHERE conversation_id = ? {condition} ORDER BY created_at DESC, id DESC LIMIT 1",  # noqa: S608
        conversation["id"],
    )
    return None if message is None else message_push(store, message, conversation)


def _assignee(store: Store, conversation: Row) -> Row:
    """``assignee`` and ``assignee_type``; neither is there when nobody of the account is assigned."""
    bot = store.by_id("agent_bots", conversation["assignee_agent_bot_id"])
    if bot is not None:
        return {"assignee": slim_agent_bot(bot), **_assignee_type(store, "AgentBot")}
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
    contact_inbox = store.by_id("contact_inboxes", conversation["contact_inbox_id"])
    return {
        "sender": contact_view(store, contact),
        "channel": inbox["channel_type"],
        **_assignee(store, conversation),
        **_team(store, actor, conversation),
        "hmac_verified": bool(contact_inbox and contact_inbox["hmac_verified"]),
    }


def conversation_view(store: Store, actor: Actor, conversation: Row) -> Row:
    """A conversation as every endpoint shows it. Raises InternalError when a bot looks at one with a team."""
    inbox = store.by_id("inboxes", conversation["inbox_id"])
    contact = store.by_id("contacts", conversation["contact_id"])
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
        "labels": labels_of(store, "conversation", conversation["id"]),
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
