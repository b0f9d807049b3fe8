"""Conversations: lists, counts, creation, one record, and every change to it."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Callers, Empty, Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import page_number, page_tail
from chatwoot_sandbox.records.access import find_conversation
from chatwoot_sandbox.records.conversation_changes import (
    assign_agent,
    assign_bot,
    assign_team,
    assign_user,
    change_status,
    hand_off,
    is_handoff,
    mute_conversation,
    set_custom_attributes,
    set_labels,
    set_priority,
    unmute_conversation,
)
from chatwoot_sandbox.records.conversation_finder import (
    accessible_conversations,
    count_conversations,
    count_page,
    filter_assignee,
    find_conversations,
    sort_order,
)
from chatwoot_sandbox.records.conversations import create_conversation, reload_conversation
from chatwoot_sandbox.records.filters import conversation_filter, page_of_filter
from chatwoot_sandbox.shapes.conversations import conversation_view
from chatwoot_sandbox.shapes.labels import labels_of
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store.store import Row

PER_PAGE: Final = 25


def list_conversations(call: Call) -> Any:
    """The counts ignore ``assignee_type``. With ``updated_within`` there are no pages."""
    query = find_conversations(call)
    tail = "" if call.one("updated_within") else page_tail(page_number(call.one("page")), PER_PAGE)
    meta = count_conversations(call, query) if call.one("q") is None else count_page(call, query, tail)
    filter_assignee(call, query)
    rows = query.rows(call.store, tail, order=sort_order(call))
    return {"data": {"meta": meta, "payload": _views(call, rows)}}


def show_counts(call: Call) -> Any:
    return {"meta": count_conversations(call, find_conversations(call))}


def filter_conversations(call: Call) -> Any:
    """No default status, newest activity first."""
    sql, params = conversation_filter(call)
    query = accessible_conversations(call)
    query.where(sql, *params)
    meta = count_conversations(call, query)
    del meta["assigned_count"]
    rows = query.rows(call.store, page_tail(page_number(page_of_filter(call)), PER_PAGE))
    return {"meta": meta, "payload": _views(call, rows)}


def _views(call: Call, rows: list[Row]) -> list[Row]:
    return [conversation_view(call.store, call.actor, row) for row in rows]


def create(call: Call) -> Any:
    return conversation_view(call.store, call.actor, create_conversation(call))


def show(call: Call) -> Any:
    return conversation_view(call.store, call.actor, find_conversation(call))


def update(call: Call) -> Any:
    """Only ``priority`` is known, and only as a plain value."""
    conversation = find_conversation(call)
    value = call.body.get("priority")
    if "priority" in call.body and not isinstance(value, dict | list):
        conversation = set_priority(call, conversation, value)
    return conversation_view(call.store, call.actor, reload_conversation(call.store, conversation["id"]))


def update_last_seen(call: Call) -> Any:
    conversation = find_conversation(call)
    now = call.store.now()
    changes = {"agent_last_seen_at": now}
    if conversation["assignee_id"] == call.actor.id:
        changes["assignee_last_seen_at"] = now
    call.store.update("conversations", conversation["id"], **changes)
    return conversation_view(call.store, call.actor, reload_conversation(call.store, conversation["id"]))


def toggle_status(call: Call) -> Any:
    """After a bot's handoff, ``success`` is null."""
    conversation = find_conversation(call)
    handoff = is_handoff(call, conversation)
    after = hand_off(call, conversation) if handoff else change_status(call, conversation)
    if after["status"] == "open" and call.actor.role == "agent":
        after = assign_user(call, after, call.actor.id)
    return {
        "meta": {},
        "payload": {
            "success": None if handoff else True,
            "conversation_id": after["display_id"],
            "current_status": after["status"],
            "snoozed_until": iso(after["snoozed_until"]),
        },
    }


def toggle_priority(call: Call) -> Any:
    set_priority(call, find_conversation(call), call.body.get("priority"))
    return Empty()


def toggle_typing_status(call: Call) -> Any:
    find_conversation(call)
    return Empty()


def custom_attributes(call: Call) -> Any:
    values = set_custom_attributes(call, find_conversation(call), call.body.get("custom_attributes"))
    return {"custom_attributes": values}


def assign(call: Call) -> Any:
    """The person wins over the team; without either key nothing changes. None is answered as ``null``."""
    conversation = find_conversation(call)
    if call.body.get("assignee_type") == "AgentBot":
        return assign_bot(call, conversation)
    if "assignee_id" in call.body:
        return assign_agent(call, conversation)
    return assign_team(call, conversation) if "team_id" in call.body else None


def list_labels(call: Call) -> Any:
    return {"payload": labels_of(call.store, "conversation", find_conversation(call)["id"])}


def write_labels(call: Call) -> Any:
    conversation = find_conversation(call)
    set_labels(call, conversation, call.body.get("labels"))
    return {"payload": labels_of(call.store, "conversation", conversation["id"])}


def mute(call: Call) -> Any:
    mute_conversation(call, find_conversation(call))
    return Empty()


def unmute(call: Call) -> Any:
    unmute_conversation(call, find_conversation(call))
    return Empty()


_ONE: Final = "/conversations/{conversation_id}"
ROUTES: Final = (
    Route("GET", "/conversations", list_conversations),
    Route("GET", "/conversations/meta", show_counts),
    Route("POST", "/conversations/filter", filter_conversations),
    Route("POST", "/conversations", create, Callers.BOTS_TOO),
    Route("GET", _ONE, show, Callers.BOTS_TOO),
    Route("PATCH", _ONE, update, Callers.BOTS_TOO),
    Route("PUT", _ONE, update, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/update_last_seen", update_last_seen),
    Route("POST", f"{_ONE}/toggle_status", toggle_status, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/toggle_priority", toggle_priority, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/toggle_typing_status", toggle_typing_status, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/custom_attributes", custom_attributes, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/assignments", assign, Callers.BOTS_TOO),
    Route("GET", f"{_ONE}/labels", list_labels, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/labels", write_labels, Callers.BOTS_TOO),
    Route("POST", f"{_ONE}/mute", mute),
    Route("POST", f"{_ONE}/unmute", unmute),
)
