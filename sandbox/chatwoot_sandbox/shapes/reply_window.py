"""How long after the customer's last message a channel lets agents answer."""

from __future__ import annotations

from typing import Final

from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store

_DAY: Final = 24 * 3600.0


def _reply_window(inbox: Row) -> float | None:
    """In seconds; None for no limit."""
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
        "SELECT max(created_at) AS at FROM messages WHERE conversation_id = ? AND message_type = ?",
        conversation["id"],
        MessageType.INCOMING,
    )
    return bool(last and last["at"] is not None and store.now() - last["at"] < window)
