"""What happens to a message on its way to the customer, after the answer.

No provider can be reached, as was the case where Chatwoot was recorded: on Twilio each message fails, on WhatsApp
those that its rules forbid, and elsewhere they stay ``sent``.
"""

from __future__ import annotations

from typing import Final

from chatwoot_sandbox.shapes.reply_window import can_reply
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

_NO_TEMPLATE: Final = "Template not found or invalid template name"
_NO_TWILIO: Final = "Failed to open TCP connection to api.twilio.com:443 (getaddrinfo: Name or service not known)"


def deliver(store: Store, conversation: Row, inbox: Row, message: Row) -> None:
    """Nothing happens to a message that came from the channel itself."""
    if message["source_id"]:
        return
    kind = inbox["channel_type"]
    if kind == "Channel::Email":
        domain = str(json_columns.load(inbox["channel"]).get("email", "")).rpartition("@")[2]
        source_id = f"conversation/{conversation['uuid']}/messages/{message['id']}@{domain}"
        store.update("messages", message["id"], source_id=source_id)
    elif kind == "Channel::TwilioSms":
        _mark_failed(store, message, _NO_TWILIO)
    elif kind == "Channel::Whatsapp" and not _has_template(message) and not can_reply(store, conversation, inbox):
        _mark_failed(store, message, _NO_TEMPLATE)


def _has_template(message: Row) -> bool:
    return bool(json_columns.load(message["additional_attributes"]).get("template_params"))


def _mark_failed(store: Store, message: Row, error: str) -> None:
    """The error is added to what the attributes hold."""
    row = store.by_id("messages", message["id"]) or message
    attributes = {**json_columns.load(row["content_attributes"]), "external_error": error}
    store.update("messages", row["id"], status="failed", content_attributes=json_columns.dump(attributes))
