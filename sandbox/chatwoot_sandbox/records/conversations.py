"""Conversations, created the way ``POST /conversations`` does it."""

from __future__ import annotations

import re
import uuid
from typing import Final, cast

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import (
    INTEGER_BOUND,
    InternalError,
    NotAuthorized,
    RecordInvalid,
    ResourceNotFound,
    Unprocessable,
    cast_enum,
    cast_integer,
    cast_iso_moment,
    check_valid,
    hash_or_fail,
    leading_int,
    present,
)
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.records.activity import add_first_assignment
from chatwoot_sandbox.records.assignment import (
    choose_assignee_for_team,
    choose_assignee_when_open,
    has_active_bot,
    schedule_assignment,
)
from chatwoot_sandbox.records.contact_inboxes import NotUnique, build_contact_inbox
from chatwoot_sandbox.records.contacts import find_contact
from chatwoot_sandbox.records.messages import build_message
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import STATUSES
from chatwoot_sandbox.store.store import Row, Store

_STRING_LIMIT: Final = 1500
_NUMBER_LIMIT: Final = 9_999_999_999


def _find_or_build_contact_inbox(call: Call) -> Row:
    """The one of the given contact and inbox; otherwise any with the source id, in any account."""
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


def _require_inbox_of(call: Call, contact_inbox: Row) -> Row:
    inbox = call.store.by_id("inboxes", contact_inbox["inbox_id"])
    if inbox is None:
        raise ResourceNotFound
    if call.actor.is_bot:
        return inbox
    if inbox["account_id"] != call.account_id or not can_see_inbox(call.store, call.actor, inbox["id"]):
        raise NotAuthorized
    return inbox


def check_attributes(**columns: Row) -> None:
    """Raises RecordInvalid for what attributes cannot hold (only top-level values are checked)."""
    wrong: list[tuple[str, str]] = []
    for column, values in columns.items():
        human = column.capitalize().replace("_", " ")
        for key, value in values.items():
            if isinstance(value, str) and len(value) > _STRING_LIMIT:
                wrong.append((column, f"{human} {key} length should be < {_STRING_LIMIT}"))
            elif isinstance(value, int) and value > _NUMBER_LIMIT:
                wrong.append((column, f"{human} {key} value should be < {_NUMBER_LIMIT}"))
    check_valid(wrong)


def _cast_attributes(call: Call) -> tuple[Row, Row]:
    additional = hash_or_fail(call.body.get("additional_attributes"))
    custom = hash_or_fail(call.body.get("custom_attributes"))
    if "referer" in additional and not re.match(r"https?://\S", str(additional["referer"])):
        additional["referer"] = None
    return additional, custom


def _build_columns(call: Call, contact_inbox: Row, inbox: Row) -> Row:
    """The columns of the conversation, after what Chatwoot overrides."""
    store, body = call.store, call.body
    contact = store.by_id("contacts", contact_inbox["contact_id"]) or {}
    additional, custom = _cast_attributes(call)
    status = cast_enum(body["status"], STATUSES) if present(body.get("status")) else "open"
    assignee_id = cast_integer(body.get("assignee_id"), INTEGER_BOUND)
    if assignee_id is not None and store.version.before(4, 7) and store.by_id("users", assignee_id) is None:
        raise InternalError
    team_id = cast_integer(body.get("team_id"))
    check_attributes(additional_attributes=additional, custom_attributes=custom)
    if contact.get("blocked"):
        status = "resolved"
    elif has_active_bot(inbox):
        status = "pending"
    if team_id is not None:
        assignee_id = choose_assignee_for_team(store, inbox, store.by_id("teams", team_id), assignee_id)
    if status == "open":
        assignee_id = choose_assignee_when_open(store, inbox, assignee_id)
    return {
        "status": status,
        "assignee_id": assignee_id,
        "team_id": team_id,
        "additional_attributes": json_columns.dump(additional),
        "custom_attributes": json_columns.dump(custom),
        "snoozed_until": cast_iso_moment(body.get("snoozed_until")) if status == "snoozed" else None,
    }


def _insert_conversation(call: Call, contact_inbox: Row, inbox: Row, values: Row, display_id: int) -> Row:
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
    return reload_conversation(call.store, new_id)


def reload_conversation(store: Store, conversation_id: int) -> Row:
    """The conversation as it is now, by its internal id."""
    found = store.by_id("conversations", conversation_id)
    if found is None:
        raise ResourceNotFound
    return found


def _add_first_message(call: Call, conversation: Row) -> None:
    """If it fails, RecordInvalid keeps its answer; anything else is a 500."""
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


def _find_locked_conversation(store: Store, contact_inbox: Row, inbox: Row) -> Row | None:
    if not inbox["lock_to_single_conversation"]:
        return None
    return store.row(
        "SELECT * FROM conversations WHERE contact_inbox_id = ? ORDER BY id DESC LIMIT 1", contact_inbox["id"]
    )


def create_conversation(call: Call) -> Row:
    """A new conversation; in an inbox with one conversation per contact, the existing one.

    If the message fails, the conversation is undone, but not its contact inbox.
    """
    try:
        contact_inbox = _find_or_build_contact_inbox(call)
    except NotUnique as error:
        raise Unprocessable("source_id should be unique") from error
    inbox = _require_inbox_of(call, contact_inbox)
    existing = _find_locked_conversation(call.store, contact_inbox, inbox)
    if existing is not None:
        with call.store.transaction():
            _add_first_message(call, existing)
        return reload_conversation(call.store, existing["id"])
    values = _build_columns(call, contact_inbox, inbox)
    display_id = call.store.next_display_id(inbox["account_id"])
    with call.store.transaction():
        conversation = _insert_conversation(call, contact_inbox, inbox, values, display_id)
        _add_first_message(call, conversation)
    schedule_assignment(call.store, inbox, values["status"])
    created = reload_conversation(call.store, conversation["id"])
    add_first_assignment(call, created)
    return created
