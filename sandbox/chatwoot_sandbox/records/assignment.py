"""Who gets a conversation: bots, online members, teams."""

from __future__ import annotations

from typing import Final

from chatwoot_sandbox.records.access import is_inbox_member, is_team_member
from chatwoot_sandbox.records.activity import add_activity
from chatwoot_sandbox.shapes.agents import available_name
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

_STARTS_THE_JOB: Final = {"open", "resolved", "snoozed"}


def has_active_bot(inbox: Row) -> bool:
    """Whether new conversations of the inbox start with its bot."""
    return inbox["agent_bot_id"] is not None


def choose_agent(store: Store, inbox: Row, team_id: int | None = None) -> int | None:
    """The online member with the fewest open conversations, then the lowest id; None when nobody is online."""
    found = store.row(
        "SELECT m.user_id FROM inbox_members m"
        " JOIN account_users a ON a.user_id = m.user_id AND a.account_id = ? AND a.availability = 'online'"
        " WHERE m.inbox_id = ? AND (? IS NULL OR m.user_id IN (SELECT user_id FROM team_members WHERE team_id = ?))"
        " ORDER BY (SELECT count(*) FROM conversations c WHERE c.assignee_id = m.user_id AND c.status = 'open'"
        " AND c.account_id = a.account_id), m.user_id LIMIT 1",
        inbox["account_id"],
        inbox["id"],
        team_id,
        team_id,
    )
    return int(found["user_id"]) if found else None


def choose_assignee_for_team(store: Store, inbox: Row, team: Row | None, assignee_id: int | None) -> int | None:
    """The assignee once the team is set: one outside the team is dropped, and the team may choose one of its own."""
    if team is None:
        return assignee_id
    if assignee_id is not None and is_team_member(store, team["id"], assignee_id):
        return assignee_id
    return choose_agent(store, inbox, team["id"]) if team["allow_auto_assign"] else None


def _assigns_by_job(store: Store, inbox: Row) -> bool:
    account = store.by_id("accounts", inbox["account_id"]) or {}
    return not store.version.before(4, 15) and bool(json_columns.load(account["features"]).get("assignment_v2"))


def choose_assignee_when_open(store: Store, inbox: Row, assignee_id: int | None) -> int | None:
    """Who gets it. The older auto assignment acts only if nobody, or somebody outside the inbox, has it."""
    if not inbox["enable_auto_assignment"] or _assigns_by_job(store, inbox):
        return assignee_id
    if assignee_id is not None and is_inbox_member(store, inbox["id"], assignee_id):
        return assignee_id
    found = choose_agent(store, inbox)
    return assignee_id if found is None else found


def schedule_assignment(store: Store, inbox: Row, status: str) -> None:
    """If the status starts that job: after the answer, the inbox's unassigned open conversations get an agent."""
    if status in _STARTS_THE_JOB and inbox["enable_auto_assignment"] and _assigns_by_job(store, inbox):
        store.later(lambda: _assign_waiting(store, inbox))


def _assign_waiting(store: Store, inbox: Row) -> None:
    """A team's conversation goes only to its members, and to nobody if the team does not assign by itself."""
    waiting = store.rows(
        "SELECT c.* FROM conversations c LEFT JOIN teams t ON t.id = c.team_id WHERE c.inbox_id = ?"
        " AND c.status = 'open' AND c.assignee_id IS NULL AND c.assignee_agent_bot_id IS NULL"
        " AND (c.team_id IS NULL OR t.allow_auto_assign) ORDER BY c.created_at, c.id",
        inbox["id"],
    )
    for conversation in waiting:
        agent = store.by_id("users", choose_agent(store, inbox, conversation["team_id"]))
        if agent is not None:
            store.update("conversations", conversation["id"], assignee_id=agent["id"], updated_at=store.now())
            add_activity(store, conversation, f"Assigned to {available_name(agent)} by Default Policy")
