"""A contact's place in an inbox, under a source id, created as Chatwoot's ContactInboxBuilder does it."""

from __future__ import annotations

import re
import secrets
import sqlite3
import uuid
from typing import Final

from chatwoot_sandbox.rails import InternalError, RecordInvalid, Refusal, Unprocessable, truthy
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store
from chatwoot_sandbox.versions import Version

_BSUID: Final = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"
_WHATSAPP: Final = rf"\A(?:\d{{1,15}}|{_BSUID})\z"
_TWILIO_SMS: Final = r"\A\+\d{1,15}\z"
_OLD_WHATSAPP: Final = r"^\d{1,15}\z"
_OLD_TWILIO_SMS: Final = r"^\+\d{1,15}\z"
_OLD_TWILIO_WHATSAPP: Final = r"^whatsapp:\+\d{1,15}\z"
_TWILIO_WHATSAPP: Final = rf"\Awhatsapp:(?:\+\d{{1,15}}|{_BSUID})\z"
_RENAMING: Final = {"Channel::Email", "Channel::Sms", "Channel::TwilioSms", "Channel::Whatsapp"}
_MISSING: Final = "param is missing or the value is empty: {}"
_TEXT_LIMIT: Final = 20_000


class NotUnique(Exception):
    """A unique index refused. Only ``POST /conversations`` handles it."""


class DetailMissing(Refusal):
    """The contact lacks the e-mail or phone number that the inbox needs. 4.0 did not catch it: 500."""

    def __init__(self, name: str, version: Version) -> None:
        refusal = InternalError() if version.fails_without_detail else Unprocessable(_MISSING.format(name))
        super().__init__(refusal.status, refusal.body)
        self.name = name


def _generate_source_id(version: Version, inbox: Row, contact: Row) -> str:
    """The contact's id in the inbox. Raises DetailMissing, or ValueError for a channel where it cannot be known."""
    kind, channel = inbox["channel_type"], json_columns.load(inbox["channel"])
    if kind in {"Channel::Api", "Channel::WebWidget"}:
        return str(uuid.uuid4())
    if kind == "Channel::Email":
        return _require_detail(contact["email"], "contact email", version)
    if kind not in _RENAMING:
        msg = f"Unsupported operation for this channel: {kind}"
        raise ValueError(msg)
    if channel.get("voice_enabled") and not contact["phone_number"]:
        return str(uuid.uuid4())
    phone = _require_detail(contact["phone_number"], "contact phone number", version)
    if kind == "Channel::Whatsapp":
        return phone.removeprefix("+")
    whatsapp = kind == "Channel::TwilioSms" and channel.get("medium") == "whatsapp"
    return f"whatsapp:{phone}" if whatsapp else phone


def _require_detail(value: str | None, name: str, version: Version) -> str:
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


def _free_source_id(store: Store, inbox: Row, source_id: str) -> None:
    """If another contact holds it, rename theirs where the channel does that; otherwise raise NotUnique."""
    holder = store.row("SELECT * FROM contact_inboxes WHERE inbox_id = ? AND source_id = ?", inbox["id"], source_id)
    if holder is None:
        return
    if inbox["channel_type"] not in _RENAMING:
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
    """Find or create the row; None for a blank source id. Raises NotUnique if another contact holds it."""
    missing = source_id is None or source_id is False
    text = _generate_source_id(store.version, inbox, contact) if missing else str(source_id)
    if not text.strip():
        return None
    same = "SELECT * FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ? AND source_id = ?"
    found = store.row(same, contact["id"], inbox["id"], text)
    if found is not None:
        return found
    _validate_source_id(store.version, inbox, text)
    _free_source_id(store, inbox, text)
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


def find_contactable_source_id(store: Store, contact: Row, inbox: Row) -> str | None:
    """Where the contact can be written to; None if the inbox cannot start a conversation with them."""
    kind, phone = inbox["channel_type"], contact["phone_number"]
    if kind in {"Channel::Api", "Channel::WebWidget"}:
        last = store.row(
            "SELECT * FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ? ORDER BY id DESC LIMIT 1",
            *(contact["id"], inbox["id"]),
        )
        if kind == "Channel::Api":
            return str(last["source_id"]) if last else str(uuid.uuid4())
        if last is None:
            return None
        used = store.row("SELECT 1 FROM conversations WHERE contact_inbox_id = ?", last["id"])
        return str(last["source_id"]) if used is None else None
    if kind == "Channel::Email":
        return contact["email"] or None
    if not phone or kind not in {"Channel::Sms", "Channel::Whatsapp", "Channel::TwilioSms"}:
        return None
    if kind == "Channel::Whatsapp":
        return str(phone).removeprefix("+")
    whatsapp = kind == "Channel::TwilioSms" and json_columns.load(inbox["channel"]).get("medium") == "whatsapp"
    return f"whatsapp:{phone}" if whatsapp else str(phone)
