"""Inboxes and who works in them."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import ResourceNotFound, leading_int
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.shapes.conversations import by_id, iso
from chatwoot_sandbox.shapes.inboxes import agent_view, inbox_view
from chatwoot_sandbox.store.store import Row, Store


def index(call: Call) -> Any:
    inboxes = call.store.rows("SELECT * FROM inboxes WHERE account_id = ? ORDER BY name", call.account_id)
    seen = [inbox for inbox in inboxes if can_see_inbox(call.store, call.actor, inbox["id"])]
    return {"payload": [inbox_view(inbox, admin=_is_admin(call)) for inbox in seen]}


def show(call: Call) -> Any:
    return inbox_view(require_inbox(call, call.path_id("inbox_id")), admin=_is_admin(call))


def members(call: Call) -> Any:
    inbox = require_inbox(call, call.path_id("inbox_id"))
    rows = call.store.rows("SELECT user_id FROM inbox_members WHERE inbox_id = ? ORDER BY user_id", inbox["id"])
    return {"payload": [agent_view(call.store, call.account_id, row["user_id"]) for row in rows]}


def assignable(call: Call) -> Any:
    """Members of all the listed inboxes, and every administrator."""
    asked = [leading_int(value) for value in call.query.get("inbox_ids[]", [])]
    if not asked:
        raise ResourceNotFound
    inboxes = [require_inbox(call, inbox_id)["id"] for inbox_id in asked]
    people = call.store.rows("SELECT user_id, role FROM account_users WHERE account_id = ?", call.account_id)
    chosen = [
        person["user_id"]
        for person in people
        if person["role"] == "administrator" or all(_is_member(call, inbox, person["user_id"]) for inbox in inboxes)
    ]
    return {"payload": [agent_view(call.store, call.account_id, user_id) for user_id in sorted(chosen)]}


def agent_bot(call: Call) -> Any:
    """The connected bot with its token, for agents too; ``{}`` without one (v4.15.1, and all before)."""
    inbox = require_inbox(call, call.path_id("inbox_id"))
    bot = by_id(call.store, "agent_bots", inbox["agent_bot_id"])
    return {"agent_bot": _agent_bot_view(call.store, bot, admin=_is_admin(call))} if bot else {}


def _agent_bot_view(store: Store, bot: Row, *, admin: bool) -> Row:
    """An inbox's bot, whole: everybody gets the token of an account's own, administrators its secret too."""
    own = bot["account_id"] is not None
    view: Row = {
        "id": bot["id"],
        "name": bot["name"],
        "description": bot["description"],
        "thumbnail": "",
        **({"outgoing_url": None} if own else {}),
        "bot_type": "webhook",
        "bot_config": {},
        "account_id": bot["account_id"],
    }
    if own:
        view["access_token"] = _access_token(store, bot)
        if admin:
            view["secret"] = f"channel-secret-bot-{bot['id']}"
    return {**view, "system_bot": not own}


def _access_token(store: Store, bot: Row) -> Row | None:
    row = store.row(
        "SELECT rowid AS id, * FROM access_tokens WHERE owner_type = 'AgentBot' AND owner_id = ?", bot["id"]
    )
    account = by_id(store, "accounts", bot["account_id"])
    made = iso(account["created_at"]) if account else None
    return row and {**row, "created_at": made, "updated_at": made}


def _is_member(call: Call, inbox_id: int, user_id: int) -> bool:
    sql = "SELECT 1 FROM inbox_members WHERE inbox_id = ? AND user_id = ?"
    return call.store.row(sql, inbox_id, user_id) is not None


def _is_admin(call: Call) -> bool:
    return call.actor.role == "administrator"


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/inboxes", index, False),
    ("GET", "/inboxes/{inbox_id}", show, False),
    ("GET", "/inboxes/{inbox_id}/agent_bot", agent_bot, False),
    ("GET", "/inbox_members/{inbox_id}", members, False),
    ("GET", "/assignable_agents", assignable, False),
)
