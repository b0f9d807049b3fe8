"""Conversations: every change to one record, with the lines of activity that it leaves."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from chatwoot_sandbox.api.conversations import assigned_text, find_conversation
from chatwoot_sandbox.call import Call, Empty, Endpoint
from chatwoot_sandbox.rails import InternalError
from chatwoot_sandbox.records.activity import add_activity, insert_message
from chatwoot_sandbox.records.assignment import after_status, assignee_for_team, assignee_when_open
from chatwoot_sandbox.records.conversations import cast_integer, cast_status, check_attributes, fresh, present
from chatwoot_sandbox.records.labels import labels, replace_labels
from chatwoot_sandbox.records.messages import actor_name
from chatwoot_sandbox.shapes.conversations import TEMPLATE, bot_slim, by_id, can_reply, conversation_view, iso
from chatwoot_sandbox.shapes.inboxes import agent_view
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row

PRIORITIES: Final = ("low", "medium", "high", "urgent")
_STATUS_TEXTS: Final = {
    "open": "Conversation was reopened by {name}",
    "resolved": "Conversation was marked resolved by {name}",
    "pending": "Conversation was marked as pending by {name}",
    "snoozed": "Conversation was snoozed by {name}",
}


def _change(call: Call, conversation: Row, **values: Any) -> Row:
    call.store.update("conversations", conversation["id"], **values, updated_at=call.store.now())
    return fresh(call.store, conversation["id"])


def _send_csat(call: Call, conversation: Row) -> None:
    """The survey goes to the customer once; outside the reply window a line says that it did not."""
    inbox = by_id(call.store, "inboxes", conversation["inbox_id"])
    sent = call.store.row(
        "SELECT 1 FROM messages WHERE conversation_id = ? AND content_type = 'input_csat'", conversation["id"]
    )
    if inbox is None or not inbox["csat_survey_enabled"] or sent is not None:
        return
    if not can_reply(call.store, conversation, inbox):
        add_activity(call.store, conversation, "CSAT survey not sent due to outgoing message restrictions")
        return
    insert_message(
        call.store,
        conversation,
        message_type=TEMPLATE,
        content="Please rate the conversation",
        content_type="input_csat",
    )


def set_status(call: Call, conversation: Row, status: str, snoozed_until: float | None = None) -> Row:
    """Write the status; opening runs auto assignment, resolving sends the survey."""
    changes: Row = {"status": status, "snoozed_until": snoozed_until if status == "snoozed" else None}
    changed = status != conversation["status"]
    inbox = by_id(call.store, "inboxes", conversation["inbox_id"])
    if changed and status == "open" and inbox is not None:
        changes["assignee_id"] = assignee_when_open(call.store, inbox, conversation["assignee_id"])
    after = _change(call, conversation, **changes)
    if changed:
        add_activity(call.store, after, _STATUS_TEXTS[status].format(name=actor_name(call.actor)))
        _tell_assignee(call, conversation, after)
        if inbox is not None:
            after_status(call.store, inbox, status)
        if status == "resolved":
            call.store.later(lambda: _send_csat(call, after))
    return after


def _epoch(value: object) -> float | None:
    """Unix seconds. Of other text its leading digits count, which turns an ISO date into 1970; none is a 500."""
    if value is None or value is False:
        return None
    found = re.match(r"\s*(-?\d{1,15})", str(value))
    if not found:
        raise InternalError
    return float(found[1])


def _wanted_status(call: Call, conversation: Row) -> str:
    if present(call.body.get("status")):
        return cast_status(call.body["status"])
    return "resolved" if conversation["status"] == "open" else "open"


def toggle_status(call: Call) -> Any:
    conversation = find_conversation(call)
    actor = call.actor
    success: bool | None = True
    if actor.is_bot and conversation["status"] == "pending" and call.body.get("status") == "open":
        success = None
        if conversation["waiting_since"] is None:
            _change(call, conversation, waiting_since=call.store.now())
        after = set_status(call, conversation, "open")
    else:
        given = present(call.body.get("status"))
        status = _wanted_status(call, conversation)
        until = call.body.get("snoozed_until")
        after = set_status(call, conversation, status, _epoch(until) if given else None)
    if after["status"] == "open" and actor.role == "agent":
        after = _assign(call, after, actor.id)
    return {
        "meta": {},
        "payload": {
            "success": success,
            "conversation_id": after["display_id"],
            "current_status": after["status"],
            "snoozed_until": iso(after["snoozed_until"]),
        },
    }


def _cast_priority(value: Any) -> str | None:
    """Blank clears; InternalError for what the enum does not know."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(PRIORITIES):
        return PRIORITIES[value]
    if not present(value):
        return None
    if not isinstance(value, str) or value not in PRIORITIES:
        raise InternalError
    return value


def _set_priority(call: Call, conversation: Row, value: Any) -> Row:
    before, priority, name = conversation["priority"], _cast_priority(value), actor_name(call.actor)
    after = _change(call, conversation, priority=priority)
    if priority == before:
        return after
    if priority is None:
        add_activity(call.store, after, f"{name} removed the priority")
    elif before is None:
        add_activity(call.store, after, f"{name} set the priority to {priority}")
    else:
        add_activity(call.store, after, f"{name} changed the priority from {before} to {priority}")
    return after


def toggle_priority(call: Call) -> Any:
    _set_priority(call, find_conversation(call), call.body.get("priority"))
    return Empty()


def update(call: Call) -> Any:
    """Only ``priority`` is known, and only as a plain value."""
    conversation = find_conversation(call)
    value = call.body.get("priority")
    if "priority" in call.body and not isinstance(value, dict | list):
        conversation = _set_priority(call, conversation, value)
    return conversation_view(call.store, call.actor, fresh(call.store, conversation["id"]))


def custom_attributes(call: Call) -> Any:
    """The hash is replaced; anything but an object is a 500."""
    conversation = find_conversation(call)
    attributes = call.body.get("custom_attributes")
    if not isinstance(attributes, dict):
        raise InternalError
    attributes = cast("Row", attributes)
    check_attributes(custom_attributes=attributes)
    _change(call, conversation, custom_attributes=json_columns.dump(attributes))
    return {"custom_attributes": attributes}


def _tell_assignee(call: Call, before: Row, after: Row, team: Row | None = None) -> None:
    if before["assignee_id"] == after["assignee_id"]:
        return
    assignee = by_id(call.store, "users", after["assignee_id"])
    if assignee is not None:
        add_activity(call.store, after, assigned_text(call.actor, assignee, team))
    elif team is None:
        add_activity(call.store, after, f"Conversation unassigned by {actor_name(call.actor)}")


def _assign(call: Call, conversation: Row, user_id: int | None) -> Row:
    after = _change(call, conversation, assignee_id=user_id, assignee_agent_bot_id=None)
    _tell_assignee(call, conversation, after)
    return after


def _lookup_id(value: Any) -> int | None:
    """Out of range is simply unknown here."""
    try:
        return cast_integer(value)
    except InternalError:
        return None


def _set_agent(call: Call, conversation: Row) -> Any:
    """Any person of the account is accepted; an unknown one unassigns."""
    member = call.store.row(
        "SELECT user_id FROM account_users WHERE account_id = ? AND user_id = ?",
        call.account_id,
        _lookup_id(call.body.get("assignee_id")),
    )
    user_id = None if member is None else int(member["user_id"])
    _assign(call, conversation, user_id)
    return None if user_id is None else agent_view(call.store, call.account_id, user_id)


def _set_bot(call: Call, conversation: Row) -> Any:
    bot = call.store.row(
        "SELECT * FROM agent_bots WHERE id = ? AND (account_id IS NULL OR account_id = ?)",
        _lookup_id(call.body.get("assignee_id")),
        call.account_id,
    )
    if bot is None:
        return None
    after = _change(call, conversation, assignee_id=None, assignee_agent_bot_id=bot["id"])
    _tell_assignee(call, conversation, after)
    return bot_slim(bot)


def _set_team(call: Call, conversation: Row) -> Any:
    """A team drops an assignee outside it and may pick its own; an unknown one is no team. Answers the raw row."""
    store = call.store
    team = store.row(
        "SELECT * FROM teams WHERE id = ? AND account_id = ?",
        _lookup_id(call.body.get("team_id")),
        call.account_id,
    )
    before = by_id(store, "teams", conversation["team_id"])
    inbox = by_id(store, "inboxes", conversation["inbox_id"]) or {}
    team_id = team["id"] if team else None
    if team_id != conversation["team_id"]:
        assignee_id = assignee_for_team(store, inbox, team, conversation["assignee_id"])
        after = _change(call, conversation, team_id=team_id, assignee_id=assignee_id)
        if team is None and before is not None:
            add_activity(call.store, after, f"Unassigned from {before['name']} by {actor_name(call.actor)}")
        elif team is not None and after["assignee_id"] in {None, conversation["assignee_id"]}:
            add_activity(call.store, after, f"Assigned to {team['name']} by {actor_name(call.actor)}")
        _tell_assignee(call, conversation, after, team)
    return None if team is None else _raw_team(team)


def _raw_team(team: Row) -> Row:
    moment = iso(team["created_at"])
    return {
        "id": team["id"],
        "name": team["name"],
        "description": team["description"],
        "allow_auto_assign": bool(team["allow_auto_assign"]),
        "account_id": team["account_id"],
        "created_at": moment,
        "updated_at": moment,
    }


def assign(call: Call) -> Any:
    """The person wins over the team; neither key changes nothing. None is answered as ``null``."""
    conversation = find_conversation(call)
    if call.body.get("assignee_type") == "AgentBot":
        return _set_bot(call, conversation)
    if "assignee_id" in call.body:
        return _set_agent(call, conversation)
    return _set_team(call, conversation) if "team_id" in call.body else None


def list_labels(call: Call) -> Any:
    return {"payload": labels(call.store, "conversation", find_conversation(call)["id"])}


def write_labels(call: Call) -> Any:
    conversation = find_conversation(call)
    added, removed = replace_labels(call.store, "conversation", conversation["id"], call.body.get("labels"))
    name = actor_name(call.actor)
    if added:
        add_activity(call.store, conversation, f"{name} added {', '.join(added)}")
    if removed:
        add_activity(call.store, conversation, f"{name} removed {', '.join(removed)}")
    return {"payload": labels(call.store, "conversation", conversation["id"])}


def mute(call: Call) -> Any:
    """Resolves the conversation and blocks the contact."""
    conversation = find_conversation(call)
    after = set_status(call, conversation, "resolved")
    call.store.update("contacts", conversation["contact_id"], blocked=1)
    add_activity(call.store, after, f"{actor_name(call.actor)} has muted the conversation")
    return Empty()


def unmute(call: Call) -> Any:
    conversation = find_conversation(call)
    call.store.update("contacts", conversation["contact_id"], blocked=0)
    add_activity(call.store, conversation, f"{actor_name(call.actor)} has unmuted the conversation")
    return Empty()


def toggle_typing_status(call: Call) -> Any:
    find_conversation(call)
    return Empty()


_ONE: Final = "/conversations/{conversation_id}"
ROUTES: tuple[tuple[str, str, Endpoint, bool], ...] = (
    ("PATCH", _ONE, update, True),
    ("PUT", _ONE, update, True),
    ("POST", f"{_ONE}/toggle_status", toggle_status, True),
    ("POST", f"{_ONE}/toggle_priority", toggle_priority, True),
    ("POST", f"{_ONE}/toggle_typing_status", toggle_typing_status, True),
    ("POST", f"{_ONE}/custom_attributes", custom_attributes, True),
    ("POST", f"{_ONE}/assignments", assign, True),
    ("GET", f"{_ONE}/labels", list_labels, True),
    ("POST", f"{_ONE}/labels", write_labels, True),
    ("POST", f"{_ONE}/mute", mute, False),
    ("POST", f"{_ONE}/unmute", unmute, False),
)
