"""Who gets a conversation: bots, online members, teams."""

from __future__ import annotations

from chatwoot_sandbox.call import Row
from chatwoot_sandbox.store import Store


def has_active_bot(inbox: Row) -> bool:
    """Whether new conversations of the inbox start with its bot."""
    return inbox["agent_bot_id"] is not None


def is_inbox_member(store: Store, inbox_id: int, user_id: object) -> bool:
    found = store.row("SELECT 1 FROM inbox_members WHERE inbox_id = ? AND user_id = ?", inbox_id, user_id)
    return found is not None


def is_team_member(store: Store, team_id: int, user_id: object) -> bool:
    found = store.row("SELECT 1 FROM team_members WHERE team_id = ? AND user_id = ?", team_id, user_id)
    return found is not None


def next_agent(store: Store, inbox: Row, team_id: int | None = None) -> int | None:
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


def assignee_for_team(store: Store, inbox: Row, team: Row | None, assignee_id: int | None) -> int | None:
    """The assignee once the team is set: one outside it is dropped, and the team may pick its own."""
    if team is None:
        return assignee_id
    if assignee_id is not None and is_team_member(store, team["id"], assignee_id):
        return assignee_id
    return next_agent(store, inbox, team["id"]) if team["allow_auto_assign"] else None


def assignee_when_open(store: Store, inbox: Row, assignee_id: int | None) -> int | None:
    """The assignee of an open conversation: auto assignment replaces nobody and people outside the inbox."""
    if not inbox["enable_auto_assignment"]:
        return assignee_id
    if assignee_id is not None and is_inbox_member(store, inbox["id"], assignee_id):
        return assignee_id
    found = next_agent(store, inbox)
    return assignee_id if found is None else found
