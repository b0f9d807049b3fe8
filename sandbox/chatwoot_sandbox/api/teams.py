"""Teams, and who is in them."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import ResourceNotFound
from chatwoot_sandbox.shapes.agents import agent_view
from chatwoot_sandbox.shapes.teams import team_view
from chatwoot_sandbox.store.store import Row


def list_teams(call: Call) -> Any:
    rows = call.store.rows("SELECT * FROM teams WHERE account_id = ? ORDER BY id", call.account_id)
    return [team_view(call.store, call.actor, row) for row in rows]


def show_team(call: Call) -> Any:
    return team_view(call.store, call.actor, _find_team(call))


def list_members(call: Call) -> Any:
    sql = "SELECT user_id FROM team_members WHERE team_id = ? ORDER BY user_id"
    rows = call.store.rows(sql, _find_team(call)["id"])
    return [agent_view(call.store, call.account_id, row["user_id"]) for row in rows]


def _find_team(call: Call) -> Row:
    sql = "SELECT * FROM teams WHERE id = ? AND account_id = ?"
    found = call.store.row(sql, call.path_id("team_id"), call.account_id)
    if found is None:
        raise ResourceNotFound
    return found


ROUTES: Final = (
    Route("GET", "/teams", list_teams),
    Route("GET", "/teams/{team_id}", show_team),
    Route("GET", "/teams/{team_id}/team_members", list_members),
)
