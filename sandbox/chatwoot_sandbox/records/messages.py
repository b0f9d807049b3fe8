"""Messages: what is checked, who becomes their author, and what they do to their conversation.

``RecordInvalid`` is a failed validation. ``POST .../messages`` shows the text of every other exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.rails import RecordInvalid, as_array, check_valid
from chatwoot_sandbox.records import liquid
from chatwoot_sandbox.records.activity import insert_message
from chatwoot_sandbox.records.assignment import choose_assignee_when_open, has_active_bot, schedule_assignment
from chatwoot_sandbox.records.delivery import deliver
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import CONTENT_TYPES, MessageType
from chatwoot_sandbox.store.store import Row, Store

_MESSAGE_TYPES: Final = {kind.name.lower(): kind for kind in MessageType}
ITEM_KEYS: Final = {
    "input_select": {"title", "value"},
    "cards": {"title", "description", "media_url", "actions"},
    "form": {"type", "placeholder", "label", "name", "options", "default", "required", "title", "pattern"}
    | {"pattern_error"},
    "article": {"title", "description", "link"},
}
CONTENT_LIMIT: Final = 150_000
PER_MINUTE: Final = 200
_EMAIL: Final = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
_TEMPLATE_TYPES: Final[dict[str, tuple[type, str]]] = {
    "name": (str, "string"),
    "category": (str, "string"),
    "language": (str, "string"),
    "namespace": (str, "string"),
    "processed_params": (dict, "hash"),
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent in a form."""

    name: str
    media_type: str
    size: int


def _cast_message_type(value: Any, inbox: Row) -> int:
    """The number. If it is sent as the number, incoming messages are not checked."""
    if value is None or value == "":
        return MessageType.OUTGOING
    if isinstance(value, int) and not isinstance(value, bool) and value in _MESSAGE_TYPES.values():
        return value
    if value == "incoming" and inbox["channel_type"] != "Channel::Api":
        msg = "Incoming messages are only allowed in Api inboxes"
        raise ValueError(msg)
    if not isinstance(value, str) or value not in _MESSAGE_TYPES:
        msg = f"'{value}' is not a valid message_type"
        raise ValueError(msg)
    return _MESSAGE_TYPES[value]


def _cast_content_type(value: Any) -> str:
    if value is None or value == "":
        return "text"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(CONTENT_TYPES):
        return CONTENT_TYPES[value]
    if value not in CONTENT_TYPES:
        msg = f"'{value}' is not a valid content_type"
        raise ValueError(msg)
    return str(value)


def _cast_content_attributes(value: Any) -> Row:
    """An object or the JSON text of one; anything else counts as none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return cast("Row", value).copy() if isinstance(value, dict) else {}


def _cast_emails(value: Any) -> list[str]:
    addresses = [part.strip() for part in str(value or "").split(",") if part.strip()]
    if any(not _EMAIL.fullmatch(address) for address in addresses):
        msg = "Invalid email address"
        raise ValueError(msg)
    return addresses


def _check_items(content_type: str, items: Any) -> None:
    allowed = ITEM_KEYS.get(content_type)
    if allowed is None:
        return
    if items is None:
        msg = "undefined method 'reject' for nil"
        raise TypeError(msg)
    if not items:
        raise RecordInvalid("Content attributes At least one item is required.", "content_attributes")
    hashes = as_array(items)
    if hashes is None or not all(isinstance(item, dict) for item in hashes):
        raise RecordInvalid("Content attributes Items should be a hash.", "content_attributes")
    wrong = [f":{key}" for item in hashes for key in item if key not in allowed]
    if wrong:
        text = f"Content attributes contains invalid keys for items : [{', '.join(wrong)}]"
        raise RecordInvalid(text, "content_attributes")


def _check_template_params(params: Any) -> None:
    if not params:
        return
    if not isinstance(params, dict):
        raise RecordInvalid("Template params must be of type hash", "template_params")
    wrong: list[tuple[str, str]] = []
    if "name" not in params:
        wrong.append(("name", "Name is required"))
    for key, (kind, name) in _TEMPLATE_TYPES.items():
        if key in params and not isinstance(params[key], kind):
            wrong.append((key, f"{key.capitalize().replace('_', ' ')} must be of type {name}"))
    check_valid(wrong)


def _check_flood(store: Store, conversation: Row) -> None:
    sql = "SELECT count(*) FROM messages WHERE conversation_id = ? AND created_at >= ?"
    if store.count(sql, conversation["id"], store.now() - 60) >= PER_MINUTE:
        raise RecordInvalid("Too many messages", "base")


def _cast_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)


def _drop_foreign_reply(store: Store, conversation: Row, attributes: Row) -> None:
    """``in_reply_to`` of another conversation becomes null."""
    if "in_reply_to" not in attributes:
        return
    known = store.row(
        "SELECT 1 FROM messages WHERE id = ? AND conversation_id = ?",
        str(attributes["in_reply_to"]),
        conversation["id"],
    )
    if known is None:
        attributes["in_reply_to"] = None


def _choose_sender(store: Store, actor: Actor, conversation: Row, params: Row) -> tuple[str, int]:
    """The caller, if the message type is ``outgoing`` or missing; otherwise the contact."""
    if params.get("message_type") not in {None, "", "outgoing"}:
        return "Contact", int(conversation["contact_id"])
    if params.get("sender_type") == "AgentBot" and not actor.is_bot:
        bot = store.by_id("agent_bots", params.get("sender_id"))
        if bot is not None and bot["account_id"] in {None, conversation["account_id"]}:
            return "AgentBot", int(bot["id"])
    return actor.kind, actor.id


def _cast_email_attributes(inbox: Row, params: Row) -> Row:
    if inbox["channel_type"] != "Channel::Email":
        return {}
    return {key: _cast_emails(params[key]) for key in ("cc_emails", "bcc_emails", "to_emails") if params.get(key)}


def _render_content(store: Store, actor: Actor, conversation: Row, params: Row, message_type: int) -> str | None:
    """The text. Liquid is rendered in what goes to the customer."""
    content = _cast_text(params.get("content"))
    if content and message_type in {MessageType.OUTGOING, MessageType.TEMPLATE}:
        content = liquid.render(content, store, conversation, actor)
    if content and len(content) > CONTENT_LIMIT:
        raise RecordInvalid(f"Content is too long (maximum is {CONTENT_LIMIT} characters)", "content")
    return content


def build_message(store: Store, actor: Actor, conversation: Row, params: Row) -> Row:
    """Check and write one message, with its effects on the conversation."""
    inbox = store.by_id("inboxes", conversation["inbox_id"]) or {}
    message_type = _cast_message_type(params.get("message_type"), inbox)
    content_type = _cast_content_type(params.get("content_type"))
    attributes = store.version.kept(_cast_content_attributes(params.get("content_attributes")))
    attributes |= _cast_email_attributes(inbox, params)
    uploads = as_array(params.get("attachments")) or []
    if params.get("attachments") and not (uploads and all(isinstance(each, Upload) for each in uploads)):
        msg = "ActiveSupport::MessageVerifier::InvalidSignature"
        raise ValueError(msg)
    _check_items(content_type, attributes.get("items"))
    content = _render_content(store, actor, conversation, params, message_type)
    _check_template_params(params.get("template_params"))
    _check_flood(store, conversation)
    _drop_foreign_reply(store, conversation, attributes)
    template = params.get("template_params")
    if params.get("external_created_at") is not None:
        attributes["external_created_at"] = params["external_created_at"]
    message = insert_message(
        store,
        conversation,
        message_type=message_type,
        content=content,
        content_type=content_type,
        private=int(params.get("private") in {True, "true", "1"}),
        source_id=_cast_text(params.get("source_id")),
        content_attributes=json_columns.dump(attributes),
        additional_attributes=json_columns.dump({"template_params": template} if template else {}),
        attachments=json_columns.dump([asdict(upload) for upload in uploads]),
        sender=_choose_sender(store, actor, conversation, params),
    )
    _apply_effects(store, conversation, inbox, message)
    return message


def _apply_effects(store: Store, conversation: Row, inbox: Row, message: Row) -> None:
    if message["message_type"] == MessageType.INCOMING:
        _note_incoming(store, conversation, inbox, message)
    elif message["message_type"] == MessageType.OUTGOING and not message["private"]:
        _note_reply(store, conversation, message)
        store.later(lambda: deliver(store, conversation, inbox, message))


def _note_reply(store: Store, conversation: Row, message: Row) -> None:
    """Note a person's first reply. Any answer ends the customer's wait."""
    if message["sender_type"] not in {"User", "AgentBot"}:
        return
    changes: Row = {"waiting_since": None}
    if message["sender_type"] == "User" and conversation["first_reply_created_at"] is None:
        changes["first_reply_created_at"] = message["created_at"]
    store.update("conversations", conversation["id"], **changes)


def _note_incoming(store: Store, conversation: Row, inbox: Row, message: Row) -> None:
    """The customer starts to wait. A resolved or snoozed conversation reopens, unless the customer is blocked."""
    now = message["created_at"]
    contact = store.by_id("contacts", conversation["contact_id"]) or {}
    store.update("contacts", conversation["contact_id"], last_activity_at=now)
    changes: Row = {}
    if conversation["waiting_since"] is None:
        changes["waiting_since"] = now
    if conversation["status"] in {"resolved", "snoozed"} and not contact.get("blocked"):
        changes |= {"status": "pending" if has_active_bot(inbox) else "open", "snoozed_until": None}
        if changes["status"] == "open":
            changes["assignee_id"] = choose_assignee_when_open(store, inbox, conversation["assignee_id"])
    if changes:
        store.update("conversations", conversation["id"], **changes)
    if "status" in changes:
        schedule_assignment(store, inbox, changes["status"])
