"""Changes to a conversation, with the lines of activity they leave."""

from __future__ import annotations

from typing import Any, Final, cast

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import InternalError, cast_enum, cast_epoch, integer_or_none, present
from chatwoot_sandbox.records.activity import actor_name, add_activity, add_assignment, insert_message
from chatwoot_sandbox.records.assignment import choose_assignee_for_team, choose_assignee_when_open, schedule_assignment
from chatwoot_sandbox.records.conversations import check_attributes, reload_conversation
from chatwoot_sandbox.records.labels import replace_labels
from chatwoot_sandbox.shapes.agent_bots import slim_agent_bot
from chatwoot_sandbox.shapes.agents import agent_view
from chatwoot_sandbox.shapes.reply_window import can_reply
from chatwoot_sandbox.shapes.teams import raw_team
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import PRIORITIES, STATUSES, MessageType
from chatwoot_sandbox.store.store import Row

_STATUS_TEXTS: Final = {
    "open": "Conversation was reopened by {name}",
    "resolved": "Conversation was marked resolved by {name}",
    "pending": "Conversation was marked as pending by {name}",
    "snoozed": "Conversation was snoozed by {name}",
}


def change_conversation(call: Call, conversation: Row, **values: Any) -> Row:
    call.store.update("conversations", conversation["id"], **values, updated_at=call.store.now())
    return reload_conversation(call.store, conversation["id"])


def _send_csat_survey(call: Call, conversation: Row) -> None:
    """The survey is sent once. Outside the reply window, a line says that it was not sent."""
    inbox = call.store.by_id("inboxes", conversation["inbox_id"])
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
        message_type=MessageType.TEMPLATE,
        content="Please rate the conversation",
        content_type="input_csat",
    )


def set_status(call: Call, conversation: Row, status: str, snoozed_until: float | None = None) -> Row:
    """Write the status; opening runs auto assignment, resolving sends the survey."""
    changes: Row = {"status": status, "snoozed_until": snoozed_until if status == "snoozed" else None}
    changed = status != conversation["status"]
    inbox = call.store.by_id("inboxes", conversation["inbox_id"])
    if changed and status == "open" and inbox is not None:
        changes["assignee_id"] = choose_assignee_when_open(call.store, inbox, conversation["assignee_id"])
    after = change_conversation(call, conversation, **changes)
    if changed:
        add_activity(call.store, after, _STATUS_TEXTS[status].format(name=actor_name(call.actor)))
        add_assignment(call, conversation, after)
        if inbox is not None:
            schedule_assignment(call.store, inbox, status)
        if status == "resolved":
            call.store.later(lambda: _send_csat_survey(call, after))
    return after


def change_status(call: Call, conversation: Row) -> Row:
    """To the status that the body names; otherwise from open to resolved, or from anything else to open."""
    if not present(call.body.get("status")):
        return set_status(call, conversation, "resolved" if conversation["status"] == "open" else "open")
    status = cast_enum(call.body["status"], STATUSES)
    return set_status(call, conversation, status, cast_epoch(call.body.get("snoozed_until")))


def is_handoff(call: Call, conversation: Row) -> bool:
    """Whether a bot gives a pending conversation to people."""
    return call.actor.is_bot and conversation["status"] == "pending" and call.body.get("status") == "open"


def hand_off(call: Call, conversation: Row) -> Row:
    """Open it; from now on the customer waits for a person."""
    if conversation["waiting_since"] is None:
        change_conversation(call, conversation, waiting_since=call.store.now())
    return set_status(call, conversation, "open")


def set_priority(call: Call, conversation: Row, value: Any) -> Row:
    """Blank clears it."""
    before, name = conversation["priority"], actor_name(call.actor)
    priority = cast_enum(value, PRIORITIES) if present(value) else None
    after = change_conversation(call, conversation, priority=priority)
    if priority == before:
        return after
    if priority is None:
        add_activity(call.store, after, f"{name} removed the priority")
    elif before is None:
        add_activity(call.store, after, f"{name} set the priority to {priority}")
    else:
        add_activity(call.store, after, f"{name} changed the priority from {before} to {priority}")
    return after


def assign_user(call: Call, conversation: Row, user_id: int | None) -> Row:
    after = change_conversation(call, conversation, assignee_id=user_id, assignee_agent_bot_id=None)
    add_assignment(call, conversation, after)
    return after


def assign_agent(call: Call, conversation: Row) -> Row | None:
    """Any person of the account is accepted. An unknown id unassigns."""
    member = call.store.row(
        "SELECT user_id FROM account_users WHERE account_id = ? AND user_id = ?",
        call.account_id,
        integer_or_none(call.body.get("assignee_id")),
    )
    user_id = None if member is None else int(member["user_id"])
    assign_user(call, conversation, user_id)
    return None if user_id is None else agent_view(call.store, call.account_id, user_id)


def assign_bot(call: Call, conversation: Row) -> Row | None:
    """An unknown bot changes nothing."""
    bot = call.store.row(
        "SELECT * FROM agent_bots WHERE id = ? AND (account_id IS NULL OR account_id = ?)",
        integer_or_none(call.body.get("assignee_id")),
        call.account_id,
    )
    if bot is None:
        return None
    after = change_conversation(call, conversation, assignee_id=None, assignee_agent_bot_id=bot["id"])
    add_assignment(call, conversation, after)
    return slim_agent_bot(bot)


def assign_team(call: Call, conversation: Row) -> Row | None:
    """An unknown id removes the team. The answer is the bare record."""
    store = call.store
    team = store.row(
        "SELECT * FROM teams WHERE id = ? AND account_id = ?",
        integer_or_none(call.body.get("team_id")),
        call.account_id,
    )
    before = store.by_id("teams", conversation["team_id"])
    inbox = store.by_id("inboxes", conversation["inbox_id"]) or {}
    team_id = team["id"] if team else None
    if team_id != conversation["team_id"]:
        assignee_id = choose_assignee_for_team(store, inbox, team, conversation["assignee_id"])
        after = change_conversation(call, conversation, team_id=team_id, assignee_id=assignee_id)
        if team is None and before is not None:
            add_activity(call.store, after, f"Unassigned from {before['name']} by {actor_name(call.actor)}")
        elif team is not None and after["assignee_id"] in {None, conversation["assignee_id"]}:
            add_activity(call.store, after, f"Assigned to {team['name']} by {actor_name(call.actor)}")
        add_assignment(call, conversation, after, team)
    return None if team is None else raw_team(team)


def set_custom_attributes(call: Call, conversation: Row, attributes: object) -> Row:
    """The whole hash is replaced. Anything but an object is a 500."""
    if not isinstance(attributes, dict):
        raise InternalError
    values = cast("Row", attributes)
    check_attributes(custom_attributes=values)
    change_conversation(call, conversation, custom_attributes=json_columns.dump(values))
    return values


def set_labels(call: Call, conversation: Row, value: object) -> None:
    added, removed = replace_labels(call.store, "conversation", conversation["id"], value)
    name = actor_name(call.actor)
    if added:
        add_activity(call.store, conversation, f"{name} added {', '.join(added)}")
    if removed:
        add_activity(call.store, conversation, f"{name} removed {', '.join(removed)}")


def mute_conversation(call: Call, conversation: Row) -> None:
    """Resolves the conversation and blocks the contact."""
    after = set_status(call, conversation, "resolved")
    call.store.update("contacts", conversation["contact_id"], blocked=1)
    add_activity(call.store, after, f"{actor_name(call.actor)} has muted the conversation")


def unmute_conversation(call: Call, conversation: Row) -> None:
    call.store.update("contacts", conversation["contact_id"], blocked=0)
    add_activity(call.store, conversation, f"{actor_name(call.actor)} has unmuted the conversation")
