"""Messages of a conversation: the pages of the list, and writing one."""

from __future__ import annotations

import re
from typing import Any

from chatwoot_sandbox.api.conversations import find_conversation
from chatwoot_sandbox.call import Call, Endpoint
from chatwoot_sandbox.rails import RecordInvalid, Unprocessable
from chatwoot_sandbox.records.messages import build_message
from chatwoot_sandbox.shapes.conversations import by_id, contact_push, iso, labels_of, message_view, user_push
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row


def _number(text: str) -> int:
    found = re.match(r"\s*(\d{1,18})", text)
    return int(found[1]) if found else 0


def _page(call: Call, conversation: Row) -> list[Row]:
    """The latest 20; 20 before an id; up to 100 after one; up to 1000 between two. Ascending."""
    before, after = call.one("before"), call.one("after")
    condition, params = "conversation_id = ?", [conversation["id"]]
    if call.one("filter_internal_messages"):
        condition += " AND private = 0 AND message_type <> 2"
    order, limit = "DESC", 20
    if before and after:
        condition += " AND id >= ? AND id < ?"
        params += [_number(after), _number(before)]
        order, limit = "ASC", 1000
    elif before:
        condition += " AND id < ?"
        params.append(_number(before))
    elif after:
        condition += " AND id > ?"
        params.append(_number(after))
        order, limit = "ASC", 100
    sql = f"SELECT * FROM messages WHERE {condition} ORDER BY created_at {order}, id {order} LIMIT {limit}"  # noqa: S608
    rows = call.store.rows(sql, *params)
    return rows if order == "ASC" else rows[::-1]


def _meta(call: Call, conversation: Row) -> Row:
    store = call.store
    contact = by_id(store, "contacts", conversation["contact_id"]) or {}
    assignee = by_id(store, "users", conversation["assignee_id"])
    return {
        "labels": labels_of(store, conversation["id"]),
        "additional_attributes": json_columns.load(conversation["additional_attributes"]),
        "contact": contact_push(contact),
        **({} if assignee is None else {"assignee": user_push(store, call.account_id, assignee)}),
        "agent_last_seen_at": iso(conversation["agent_last_seen_at"]),
        "assignee_last_seen_at": iso(conversation["assignee_last_seen_at"]),
    }


def index(call: Call) -> Any:
    conversation = find_conversation(call)
    return {
        "meta": _meta(call, conversation),
        "payload": [message_view(call.store, message) for message in _page(call, conversation)],
    }


def create(call: Call) -> Any:
    """Whatever goes wrong in the building is a 422 that shows the exception's text."""
    conversation = find_conversation(call)
    try:
        with call.store.transaction():
            message = build_message(call.store, call.actor, conversation, call.body)
    except RecordInvalid as error:
        raise Unprocessable(f"Validation failed: {error.message}") from error
    except Exception as error:
        raise Unprocessable(str(error)) from error
    return message_view(call.store, message, call.body.get("echo_id"))


ROUTES: tuple[tuple[str, str, Endpoint, bool], ...] = (
    ("GET", "/conversations/{conversation_id}/messages", index, False),
    ("POST", "/conversations/{conversation_id}/messages", create, True),
)
