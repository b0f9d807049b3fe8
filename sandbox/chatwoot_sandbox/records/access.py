"""Who may see which inbox."""

from __future__ import annotations

from chatwoot_sandbox.call import Actor, Call
from chatwoot_sandbox.rails import NotAuthorized, ResourceNotFound
from chatwoot_sandbox.store.store import Row, Store


def can_see_inbox(store: Store, actor: Actor, inbox_id: int) -> bool:
    """Administrators and bots see every inbox of the account, agents those they are a member of."""
    if actor.is_bot or actor.role == "administrator":
        return True
    member = store.row("SELECT 1 FROM inbox_members WHERE inbox_id = ? AND user_id = ?", inbox_id, actor.id)
    return member is not None


def require_inbox(call: Call, inbox_id: int) -> Row:
    """The account's inbox: 404 when there is none, 401 when it is not the caller's."""
    inbox = call.store.row("SELECT * FROM inboxes WHERE id = ? AND account_id = ?", inbox_id, call.account_id)
    if inbox is None:
        raise ResourceNotFound
    if not can_see_inbox(call.store, call.actor, inbox_id):
        raise NotAuthorized
    return inbox
