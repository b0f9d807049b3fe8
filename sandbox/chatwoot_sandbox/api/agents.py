"""Agents: the people of an account, and those who can be assigned."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import ResourceNotFound, leading_int
from chatwoot_sandbox.records.access import is_inbox_member, require_inbox
from chatwoot_sandbox.shapes.agents import agent_view


def list_agents(call: Call) -> Any:
    sql = "SELECT id FROM users JOIN account_users ON user_id = id WHERE account_id = ? ORDER BY name"
    return [agent_view(call.store, call.account_id, row["id"]) for row in call.store.rows(sql, call.account_id)]


def list_assignable_agents(call: Call) -> Any:
    """The members of all the inboxes asked for, and every administrator."""
    asked = [leading_int(value) for value in call.query.get("inbox_ids[]", [])]
    if not asked:
        raise ResourceNotFound
    inboxes = [require_inbox(call, inbox_id)["id"] for inbox_id in asked]
    people = call.store.rows("SELECT user_id, role FROM account_users WHERE account_id = ?", call.account_id)
    chosen = [
        person["user_id"]
        for person in people
        if person["role"] == "administrator"
        or all(is_inbox_member(call.store, inbox, person["user_id"]) for inbox in inboxes)
    ]
    return {"payload": [agent_view(call.store, call.account_id, user_id) for user_id in sorted(chosen)]}


ROUTES: Final = (
    Route("GET", "/agents", list_agents),
    Route("GET", "/assignable_agents", list_assignable_agents),
)
