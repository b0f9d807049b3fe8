"""Messages of a conversation: the pages of their list, and creating one."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Callers, Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import RecordInvalid, Unprocessable, to_i
from chatwoot_sandbox.records.access import find_conversation
from chatwoot_sandbox.records.messages import build_message
from chatwoot_sandbox.shapes.agents import user_push
from chatwoot_sandbox.shapes.contacts import contact_push
from chatwoot_sandbox.shapes.labels import labels_of
from chatwoot_sandbox.shapes.messages import message_view
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row


def _read_page(call: Call, conversation: Row) -> list[Row]:
    """The latest 20; 20 before an id; up to 100 after one; up to 1000 between two. Ascending."""
    before, after = call.one("before"), call.one("after")
    condition, params = "conversation_id = ?", [conversation["id"]]
    if call.one("filter_internal_messages"):
        condition += f" AND private = 0 AND message_type <> {MessageType.ACTIVITY:d}"
    order, limit = "DESC", 20
    if before and after:
        condition += " AND id >= ? AND id < ?"
        params += [to_i(after), to_i(before)]
        order, limit = "ASC", 1000
    elif before:
        condition += " AND id < ?"
        params.append(to_i(before))
    elif after:
        condition += " AND id > ?"
        params.append(to_i(after))
        order, limit = "ASC", 100
    sql = f"SELECT * FROM messages WHERE {condition} ORDER BY created_at {order}, id {order} LIMIT {limit}"  # noqa: S608
    rows = call.store.rows(sql, *params)
    return rows if order == "ASC" else rows[::-1]


def _meta_view(call: Call, conversation: Row) -> Row:
    store = call.store
    contact = store.by_id("contacts", conversation["contact_id"]) or {}
    assignee = store.by_id("users", conversation["assignee_id"])
    return {
        "labels": labels_of(store, "conversation", conversation["id"]),
        "additional_attributes": json_columns.load(conversation["additional_attributes"]),
        "contact": contact_push(contact),
        **({} if assignee is None else {"assignee": user_push(store, call.account_id, assignee)}),
        "agent_last_seen_at": iso(conversation["agent_last_seen_at"]),
        "assignee_last_seen_at": iso(conversation["assignee_last_seen_at"]),
    }


def list_messages(call: Call) -> Any:
    conversation = find_conversation(call)
    return {
        "meta": _meta_view(call, conversation),
        "payload": [message_view(call.store, message) for message in _read_page(call, conversation)],
    }


def create_message(call: Call) -> Any:
    """Whatever goes wrong is a 422 that shows the exception's text."""
    conversation = find_conversation(call)
    try:
        with call.store.transaction():
            message = build_message(call.store, call.actor, conversation, call.body)
    except RecordInvalid as error:
        raise Unprocessable(f"Validation failed: {error.message}") from error
    except Exception as error:
        raise Unprocessable(str(error)) from error
    return message_view(call.store, message, call.body.get("echo_id"))


_MESSAGES: Final = "/conversations/{conversation_id}/messages"
ROUTES: Final = (
    Route("GET", _MESSAGES, list_messages),
    Route("POST", _MESSAGES, create_message, Callers.BOTS_TOO),
)
