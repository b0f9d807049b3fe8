"""Teams: as the caller sees them, and as the bare record."""

from __future__ import annotations

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.rails import InternalError
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store.store import Row, Store


def team_view(store: Store, actor: Actor, team: Row) -> Row:
    """A team as the caller sees it. Chatwoot asks the caller for its teams, which a bot does not have: 500."""
    if actor.is_bot:
        raise InternalError
    member = store.row("SELECT 1 FROM team_members WHERE team_id = ? AND user_id = ?", team["id"], actor.id)
    return {**_columns(team), "is_member": member is not None}


def raw_team(team: Row) -> Row:
    moment = iso(team["created_at"])
    return {**_columns(team), "created_at": moment, "updated_at": moment}


def _columns(team: Row) -> Row:
    return {
        "id": team["id"],
        "name": team["name"],
        "description": team["description"],
        "allow_auto_assign": bool(team["allow_auto_assign"]),
        "account_id": team["account_id"],
    }
