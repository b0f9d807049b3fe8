"""Who is in which inbox or team, and so may see it and its conversations."""

from __future__ import annotations

from chatwoot_sandbox.call import Actor, Call
from chatwoot_sandbox.rails import NotAuthorized, ResourceNotFound
from chatwoot_sandbox.store.store import Row, Store


def is_inbox_member(store: Store, inbox_id: int, user_id: object) -> bool:
    found = store.row("SELECT 1 FROM inbox_members WHERE inbox_id = ? AND user_id = ?", inbox_id, user_id)
    return found is not None


def is_team_member(store: Store, team_id: int, user_id: object) -> bool:
    found = store.row("SELECT 1 FROM team_members WHERE team_id = ? AND user_id = ?", team_id, user_id)
    return found is not None


def can_see_inbox(store: Store, actor: Actor, inbox_id: int) -> bool:
    """Administrators and bots see every inbox of the account, agents only those they are members of."""
    if actor.is_bot or actor.role == "administrator":
        return True
    return is_inbox_member(store, inbox_id, actor.id)


def require_inbox(call: Call, inbox_id: int) -> Row:
    """The account's inbox: 404 if there is none, 401 if the caller may not see it."""
    inbox = call.store.row("SELECT * FROM inboxes WHERE id = ? AND account_id = ?", inbox_id, call.account_id)
    if inbox is None:
        raise ResourceNotFound
    if not can_see_inbox(call.store, call.actor, inbox_id):
        raise NotAuthorized
    return inbox


def find_conversation(call: Call) -> Row:
    """By display id: 404 if there is none, 401 if the caller may not see it."""
    found = call.store.row(
        "SELECT * FROM conversations WHERE account_id = ? AND display_id = ?",
        call.account_id,
        call.path_id("conversation_id"),
    )
    if found is None:
        raise ResourceNotFound
    if call.actor.role == "agent" and not _can_agent_see(call.store, call.actor, found):
        raise NotAuthorized
    return found


def _can_agent_see(store: Store, actor: Actor, conversation: Row) -> bool:
    """An agent sees the conversations of their inboxes and, since 4.11, of their teams."""
    team_id = None if store.version.before(4, 11) else conversation["team_id"]
    found = store.row(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM inbox_members WHERE inbox_id = ? AND user_id = ?)"
        " OR EXISTS (SELECT 1 FROM team_members WHERE team_id = ? AND user_id = ?)",
        conversation["inbox_id"],
        actor.id,
        team_id,
        actor.id,
    )
    return found is not None
