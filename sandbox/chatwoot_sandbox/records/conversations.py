"""Contact inboxes and conversations, made the way ``POST /conversations`` makes them."""

from __future__ import annotations

import re
import secrets
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any, Final, cast

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import (
    InternalError,
    NotAuthorized,
    RecordInvalid,
    Refusal,
    ResourceNotFound,
    Unprocessable,
    leading_int,
)
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.records.assignment import after_status, assignee_for_team, assignee_when_open, has_active_bot
from chatwoot_sandbox.records.messages import build_message
from chatwoot_sandbox.shapes.conversations import by_id
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store
from chatwoot_sandbox.versions import Version

STATUSES: Final = ("open", "resolved", "pending", "snoozed")
_BSUID: Final = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"
_WHATSAPP: Final = rf"\A(?:\d{{1,15}}|{_BSUID})\z"
_TWILIO_SMS: Final = r"\A\+\d{1,15}\z"
_OLD_WHATSAPP: Final = r"^\d{1,15}\z"
_OLD_TWILIO_SMS: Final = r"^\+\d{1,15}\z"
_OLD_TWILIO_WHATSAPP: Final = r"^whatsapp:\+\d{1,15}\z"
_TWILIO_WHATSAPP: Final = rf"\Awhatsapp:(?:\+\d{{1,15}}|{_BSUID})\z"
_STEALING: Final = {"Channel::Email", "Channel::Sms", "Channel::TwilioSms", "Channel::Whatsapp"}
_FALSE: Final = (False, None, 0, "0", "f", "F", "false", "FALSE", "off", "OFF", "")
_INTEGER: Final = 2**31
_MISSING: Final = "param is missing or the value is empty: {}"
_TEXT_LIMIT: Final = 20_000
_STRING_LIMIT: Final = 1500
_NUMBER_LIMIT: Final = 9_999_999_999


class NotUnique(Exception):
    """A unique index refused; only ``POST /conversations`` has an answer for it."""


class DetailMissing(Refusal):
    """A contact without the e-mail or phone number that the inbox needs. 4.0 did not catch it: 500."""

    def __init__(self, name: str, version: Version) -> None:
        refusal = InternalError() if version.fails_without_detail else Unprocessable(_MISSING.format(name))
        super().__init__(refusal.status, refusal.body)
        self.name = name


def present(value: object) -> bool:
    """Rails' ``present?``."""
    return bool(value.strip()) if isinstance(value, str) else (value == 0 and value is not False) or bool(value)


def truthy(value: object) -> bool:
    return value not in _FALSE


def cast_integer(value: Any, limit: int = 2**63) -> int | None:
    """How an integer column takes a value: text by its leading digits (else 0). Raises InternalError beyond it."""
    if isinstance(value, str):
        found = re.match(r"\s*(-?\d+)", value)
        number = (int(found[1]) if found else 0) if value.strip() else None
    else:
        number = int(value) if isinstance(value, int | float) else None
    if number is not None and not -limit <= number < limit:
        raise InternalError
    return number


def _generated_source_id(version: Version, inbox: Row, contact: Row) -> str:
    """The contact's id in the inbox. DetailMissing when the contact lacks it, ValueError when nobody can know it."""
    kind, channel = inbox["channel_type"], json_columns.load(inbox["channel"])
    if kind in {"Channel::Api", "Channel::WebWidget"}:
        return str(uuid.uuid4())
    if kind == "Channel::Email":
        return _required(contact["email"], "contact email", version)
    if kind not in _STEALING:
        msg = f"Unsupported operation for this channel: {kind}"
        raise ValueError(msg)
    if channel.get("voice_enabled") and not contact["phone_number"]:
        return str(uuid.uuid4())
    phone = _required(contact["phone_number"], "contact phone number", version)
    if kind == "Channel::Whatsapp":
        return phone.removeprefix("+")
    whatsapp = kind == "Channel::TwilioSms" and channel.get("medium") == "whatsapp"
    return f"whatsapp:{phone}" if whatsapp else phone


def _required(value: str | None, name: str, version: Version) -> str:
    if not value:
        raise DetailMissing(name, version)
    return value


def _validate_source_id(version: Version, inbox: Row, source_id: str) -> None:
    channel = json_columns.load(inbox["channel"])
    kind, pattern = "", ""
    old = version.before(4, 15)
    if inbox["channel_type"] == "Channel::Whatsapp":
        kind, pattern = "whatsapp", _OLD_WHATSAPP if old else _WHATSAPP
    elif inbox["channel_type"] == "Channel::TwilioSms" and channel.get("medium") == "whatsapp":
        kind, pattern = "twilio whatsapp", _OLD_TWILIO_WHATSAPP if old else _TWILIO_WHATSAPP
    elif inbox["channel_type"] == "Channel::TwilioSms":
        kind, pattern = "twilio sms", _OLD_TWILIO_SMS if old else _TWILIO_SMS
    if pattern and not re.fullmatch(pattern.removeprefix(r"\A").removesuffix(r"\z"), source_id, re.ASCII):
        text = f"Source invalid source id for {kind} inbox. valid Regex (?-mix:{pattern})"
        raise RecordInvalid(text, "source_id")
    if len(source_id) > _TEXT_LIMIT:
        raise RecordInvalid(f"Source is too long (maximum is {_TEXT_LIMIT} characters)", "source_id")


def _make_room(store: Store, inbox: Row, source_id: str) -> None:
    """Rename the row that holds the source id, where the channel does that; else NotUnique."""
    holder = store.row("SELECT * FROM contact_inboxes WHERE inbox_id = ? AND source_id = ?", inbox["id"], source_id)
    if holder is None:
        return
    if inbox["channel_type"] not in _STEALING:
        raise NotUnique
    if inbox["channel_type"] == "Channel::Email":
        renamed = f"{secrets.randbelow(10)}{source_id}"
    else:
        renamed = f"whatsapp:{source_id}{secrets.randbelow(100)}"
    _validate_source_id(store.version, inbox, renamed)
    store.update("contact_inboxes", holder["id"], source_id=renamed)


def build_contact_inbox(
    store: Store, contact: Row, inbox: Row, source_id: object = None, hmac_verified: object = None
) -> Row | None:
    """Find or create the triple; None for a blank source id. Raises NotUnique when another contact holds it."""
    missing = source_id is None or source_id is False
    text = _generated_source_id(store.version, inbox, contact) if missing else str(source_id)
    if not text.strip():
        return None
    same = "SELECT * FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ? AND source_id = ?"
    found = store.row(same, contact["id"], inbox["id"], text)
    if found is not None:
        return found
    _validate_source_id(store.version, inbox, text)
    _make_room(store, inbox, text)
    try:
        store.insert(
            "contact_inboxes",
            contact_id=contact["id"],
            inbox_id=inbox["id"],
            source_id=text,
            hmac_verified=int(truthy(hmac_verified)),
            created_at=store.now(),
        )
    except sqlite3.IntegrityError as error:
        raise NotUnique from error
    return store.row(same, contact["id"], inbox["id"], text)


def find_contact(call: Call, contact_id: object) -> Row:
    found = call.store.row(
        "SELECT * FROM contacts WHERE id = ? AND account_id = ?", leading_int(contact_id), call.account_id
    )
    if found is None:
        raise ResourceNotFound
    return found


def _resolve(call: Call) -> Row:
    """The contact inbox that the request means: the pair's own, else whichever has the source id, in any account."""
    body, store = call.body, call.store
    inbox = require_inbox(call, leading_int(body["inbox_id"])) if present(body.get("inbox_id")) else None
    contact = find_contact(call, body["contact_id"]) if present(body.get("contact_id")) else None
    found: Row | None = None
    if inbox is not None and contact is not None:
        found = build_contact_inbox(store, contact, inbox, body.get("source_id"), body.get("hmac_verified"))
    if found is None and body.get("source_id") is not None:
        found = store.row(
            "SELECT * FROM contact_inboxes WHERE source_id = ? ORDER BY id LIMIT 1", str(body["source_id"])
        )
    if found is None:
        raise ResourceNotFound
    return found


def _authorised_inbox(call: Call, contact_inbox: Row) -> Row:
    inbox = by_id(call.store, "inboxes", contact_inbox["inbox_id"])
    if inbox is None:
        raise ResourceNotFound
    if call.actor.is_bot:
        return inbox
    if inbox["account_id"] != call.account_id or not can_see_inbox(call.store, call.actor, inbox["id"]):
        raise NotAuthorized
    return inbox


def check_attributes(**columns: Row) -> None:
    """Raises RecordInvalid for what a conversation's attributes cannot hold (top-level values only)."""
    wrong: list[tuple[str, str]] = []
    for column, values in columns.items():
        human = column.capitalize().replace("_", " ")
        for key, value in values.items():
            if isinstance(value, str) and len(value) > _STRING_LIMIT:
                wrong.append((column, f"{human} {key} length should be < {_STRING_LIMIT}"))
            elif isinstance(value, int) and value > _NUMBER_LIMIT:
                wrong.append((column, f"{human} {key} value should be < {_NUMBER_LIMIT}"))
    if wrong:
        raise RecordInvalid(", ".join(text for _, text in wrong), *dict.fromkeys(column for column, _ in wrong))


def _object(value: object) -> Row:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InternalError
    return cast("Row", value).copy()


def cast_status(value: object) -> str:
    """The enum's name; InternalError for anything that it does not know."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(STATUSES):
        return STATUSES[value]
    if isinstance(value, str) and value in STATUSES:
        return value
    raise InternalError


def _iso_moment(value: object) -> float | None:
    """ISO-8601 text; numbers, digits and everything else are dropped silently."""
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _attributes(call: Call) -> tuple[Row, Row]:
    additional = _object(call.body.get("additional_attributes"))
    custom = _object(call.body.get("custom_attributes"))
    if "referer" in additional and not re.match(r"https?://\S", str(additional["referer"])):
        additional["referer"] = None
    return additional, custom


def _new_values(call: Call, contact_inbox: Row, inbox: Row) -> Row:
    """The columns of the conversation, with what Chatwoot overrides at insert."""
    store, body = call.store, call.body
    contact = by_id(store, "contacts", contact_inbox["contact_id"]) or {}
    additional, custom = _attributes(call)
    status = cast_status(body["status"]) if present(body.get("status")) else "open"
    assignee_id = cast_integer(body.get("assignee_id"), _INTEGER)
    if assignee_id is not None and store.version.before(4, 7) and by_id(store, "users", assignee_id) is None:
        raise InternalError
    team_id = cast_integer(body.get("team_id"))
    check_attributes(additional_attributes=additional, custom_attributes=custom)
    if contact.get("blocked"):
        status = "resolved"
    elif has_active_bot(inbox):
        status = "pending"
    if team_id is not None:
        assignee_id = assignee_for_team(store, inbox, by_id(store, "teams", team_id), assignee_id)
    if status == "open":
        assignee_id = assignee_when_open(store, inbox, assignee_id)
    return {
        "status": status,
        "assignee_id": assignee_id,
        "team_id": team_id,
        "additional_attributes": json_columns.dump(additional),
        "custom_attributes": json_columns.dump(custom),
        "snoozed_until": _iso_moment(body.get("snoozed_until")) if status == "snoozed" else None,
    }


def _insert(call: Call, contact_inbox: Row, inbox: Row, values: Row, display_id: int) -> Row:
    now = call.store.now()
    new_id = call.store.insert(
        "conversations",
        **values,
        account_id=inbox["account_id"],
        display_id=display_id,
        uuid=str(uuid.uuid4()),
        inbox_id=inbox["id"],
        contact_id=contact_inbox["contact_id"],
        contact_inbox_id=contact_inbox["id"],
        waiting_since=now,
        last_activity_at=now,
        created_at=now,
        updated_at=now,
    )
    return fresh(call.store, new_id)


def fresh(store: Store, conversation_id: int) -> Row:
    """The conversation as it is now, by its internal id."""
    found = by_id(store, "conversations", conversation_id)
    if found is None:
        raise ResourceNotFound
    return found


def _add_message(call: Call, conversation: Row) -> None:
    """The first message. Only RecordInvalid keeps its answer; everything else that goes wrong is a 500."""
    message = call.body.get("message")
    if not present(message):
        return
    if not isinstance(message, dict):
        raise InternalError
    try:
        build_message(call.store, call.actor, conversation, cast("Row", message))
    except RecordInvalid:
        raise
    except Exception as error:
        raise InternalError from error


def _locked_to(store: Store, contact_inbox: Row, inbox: Row) -> Row | None:
    if not inbox["lock_to_single_conversation"]:
        return None
    return store.row(
        "SELECT * FROM conversations WHERE contact_inbox_id = ? ORDER BY id DESC LIMIT 1", contact_inbox["id"]
    )


def create_conversation(call: Call) -> tuple[Row, bool]:
    """The conversation and whether it is new. A failing message undoes the conversation, not its contact inbox."""
    try:
        contact_inbox = _resolve(call)
    except NotUnique as error:
        raise Unprocessable("source_id should be unique") from error
    inbox = _authorised_inbox(call, contact_inbox)
    existing = _locked_to(call.store, contact_inbox, inbox)
    if existing is not None:
        with call.store.transaction():
            _add_message(call, existing)
        return fresh(call.store, existing["id"]), False
    values = _new_values(call, contact_inbox, inbox)
    display_id = call.store.next_display_id(inbox["account_id"])
    with call.store.transaction():
        conversation = _insert(call, contact_inbox, inbox, values, display_id)
        _add_message(call, conversation)
    after_status(call.store, inbox, values["status"])
    return fresh(call.store, conversation["id"]), True
