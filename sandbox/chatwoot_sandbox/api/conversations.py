"""Conversations: lists, counts, creation, one record."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from chatwoot_sandbox.call import Actor, Call, Endpoint
from chatwoot_sandbox.rails import NotAuthorized, ResourceNotFound, leading_int
from chatwoot_sandbox.records.activity import add_activity
from chatwoot_sandbox.records.conversations import create_conversation, fresh
from chatwoot_sandbox.records.messages import actor_name
from chatwoot_sandbox.shapes.conversations import available_name, by_id, conversation_view
from chatwoot_sandbox.store.store import Row, Store

PER_PAGE: Final = 25
_RANK: Final = "CASE c.priority WHEN 'urgent' THEN 3 WHEN 'high' THEN 2 WHEN 'medium' THEN 1 WHEN 'low' THEN 0 END"
_ORDERS: Final = {
    "last_activity_at_asc": "c.last_activity_at ASC",
    "created_at_asc": "c.created_at ASC",
    "created_at_desc": "c.created_at DESC",
    "priority_asc": f"{_RANK} ASC NULLS LAST, c.last_activity_at DESC",
    "priority_desc": f"{_RANK} DESC NULLS LAST, c.last_activity_at DESC",
    "priority_desc_created_at_asc": f"{_RANK} DESC NULLS LAST, c.created_at ASC",
    "waiting_since_asc": "c.waiting_since ASC NULLS LAST, c.created_at ASC",
    "waiting_since_desc": "c.waiting_since DESC NULLS LAST, c.created_at ASC",
}
_NEWEST: Final = "c.last_activity_at DESC"


@dataclass(slots=True)
class Query:
    """Conditions on ``conversations c`` with their parameters."""

    conditions: list[str] = field(default_factory=list[str])
    params: list[Any] = field(default_factory=list[Any])

    def where(self, condition: str, *params: Any) -> None:
        self.conditions.append(f"({condition})")
        self.params.extend(params)

    def rows(self, store: Store, tail: str = "", *, order: str = _NEWEST) -> list[Row]:
        where = " AND ".join(self.conditions) or "1"
        sql = f"SELECT c.* FROM conversations c WHERE {where} ORDER BY {order}, c.id DESC {tail}"  # noqa: S608
        return store.rows(sql, *self.params)

    def count(self, store: Store, extra: str = "1", *params: Any) -> int:
        where = " AND ".join([*self.conditions, f"({extra})"])
        sql = f"SELECT count(*) AS n FROM conversations c WHERE {where}"  # noqa: S608
        found = store.row(sql, *self.params, *params)
        return int(found["n"]) if found else 0


def accessible(call: Call) -> Query:
    """The account's conversations; for an agent those of his inboxes."""
    query = Query()
    query.where("c.account_id = ?", call.account_id)
    if call.actor.role == "agent":
        query.where("c.inbox_id IN (SELECT inbox_id FROM inbox_members WHERE user_id = ?)", call.actor.id)
    return query


def page_number(value: object) -> int:
    """1 for everything that is no positive number."""
    found = re.match(r"\s*(\d+)", str(value))
    return max(int(found[1]), 1) if found else 1


def page_tail(page: int, size: int) -> str:
    return f"LIMIT {size} OFFSET {min((page - 1) * size, 2**62)}"


def find_conversation(call: Call) -> Row:
    """By display id: unknown is 404, then one that the caller may not see is 401."""
    found = call.store.row(
        "SELECT * FROM conversations WHERE account_id = ? AND display_id = ?",
        call.account_id,
        call.path_id("conversation_id"),
    )
    if found is None:
        raise ResourceNotFound
    if call.actor.role == "agent" and not _agent_sees(call.store, call.actor, found):
        raise NotAuthorized
    return found


def _agent_sees(store: Store, actor: Actor, conversation: Row) -> bool:
    """An agent sees his inboxes' conversations and, since 4.11, his teams'."""
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


def _values(call: Call, name: str) -> list[str]:
    return [*call.query.get(f"{name}[]", []), *call.query.get(name, [])]


def _filter_status(call: Call, query: Query) -> None:
    """``open`` unless told; a text search looks at every status."""
    wanted = [value for value in _values(call, "status") if value] or ["open"]
    if "all" not in wanted and not call.one("q"):
        query.where(f"c.status IN ({', '.join('?' * len(wanted))})", *wanted)


def _filter_labels(call: Call, query: Query) -> None:
    wanted = [part.strip() for value in _values(call, "labels") for part in value.split(",") if part.strip()]
    if wanted:
        marks = ", ".join("?" * len(wanted))
        query.where(
            f"EXISTS (SELECT 1 FROM conversation_labels l WHERE l.conversation_id = c.id AND l.title IN ({marks}))",  # noqa: S608
            *wanted,
        )


def _filter_team(call: Call, query: Query) -> None:
    if not call.one("team_id"):
        return
    team_id = leading_int(call.one("team_id"))
    if call.store.row("SELECT 1 FROM teams WHERE id = ? AND account_id = ?", team_id, call.account_id) is None:
        raise ResourceNotFound
    query.where("c.team_id = ?", team_id)


def _filter_rest(call: Call, query: Query) -> None:
    kind, text, source_id = call.one("conversation_type"), call.one("q"), call.one("source_id")
    if call.one("inbox_id"):
        query.where("c.inbox_id = ?", _number(call.one("inbox_id")))
    if kind == "unattended":
        query.where("c.first_reply_created_at IS NULL OR c.waiting_since IS NOT NULL")
    elif kind in {"mention", "participating"}:
        query.where("0")
    if text:
        query.where(
            "EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id AND m.message_type IN (0, 1)"
            " AND m.content LIKE '%' || ? || '%')",
            text,
        )
    if source_id:
        query.where("c.contact_inbox_id IN (SELECT id FROM contact_inboxes WHERE source_id = ?)", source_id)
    if call.one("updated_within"):
        query.where("c.updated_at > ?", call.store.now() - _number(call.one("updated_within")))


def _number(value: str | None) -> int:
    found = re.match(r"\s*(\d{1,18})", value or "")
    return int(found[1]) if found else 0


def _found(call: Call) -> Query:
    """Everything but ``assignee_type``, which the counts do not heed."""
    query = accessible(call)
    _filter_status(call, query)
    _filter_labels(call, query)
    _filter_team(call, query)
    _filter_rest(call, query)
    return query


def counts(call: Call, query: Query) -> dict[str, int]:
    return {
        "mine_count": query.count(call.store, "c.assignee_id = ?", call.actor.id),
        "assigned_count": query.count(call.store, "c.assignee_id IS NOT NULL"),
        "unassigned_count": query.count(call.store, "c.assignee_id IS NULL"),
        "all_count": query.count(call.store),
    }


def _filter_assignee(call: Call, query: Query) -> None:
    kind = call.one("assignee_type")
    if kind == "me":
        query.where("c.assignee_id = ?", call.actor.id)
    elif kind == "unassigned":
        query.where("c.assignee_id IS NULL")
    elif kind == "assigned":
        query.where("c.assignee_id IS NOT NULL")


def index(call: Call) -> Any:
    query = _found(call)
    meta = counts(call, query)
    _filter_assignee(call, query)
    tail = "" if call.one("updated_within") else page_tail(page_number(call.one("page")), PER_PAGE)
    rows = query.rows(call.store, tail, order=_ORDERS.get(call.one("sort_by") or "", _NEWEST))
    return {"data": {"meta": meta, "payload": [conversation_view(call.store, call.actor, row) for row in rows]}}


def meta(call: Call) -> Any:
    return {"meta": counts(call, _found(call))}


def create(call: Call) -> Any:
    conversation, new = create_conversation(call)
    if new:
        _tell_of_assignment(call, conversation)
    return conversation_view(call.store, call.actor, conversation)


def _tell_of_assignment(call: Call, conversation: Row) -> None:
    team = by_id(call.store, "teams", conversation["team_id"])
    assignee = by_id(call.store, "users", conversation["assignee_id"])
    if assignee is not None:
        add_activity(call.store, conversation, assigned_text(call.actor, assignee, team))
    elif team is not None or conversation["assignee_id"] is not None:  # nobody is known by that id: no name is shown
        name = team["name"] if team else ""
        add_activity(call.store, conversation, f"Assigned to {name} by {actor_name(call.actor)}")


def assigned_text(actor: Actor, assignee: Row, team: Row | None = None) -> str:
    name = available_name(assignee)
    if team is not None:
        return f"Assigned to {name} via {team['name']} by {actor_name(actor)}"
    if actor.kind == "User" and actor.id == assignee["id"]:
        return f"{name} self-assigned this conversation"
    return f"Assigned to {name} by {actor_name(actor)}"


def show(call: Call) -> Any:
    return conversation_view(call.store, call.actor, find_conversation(call))


def update_last_seen(call: Call) -> Any:
    conversation = find_conversation(call)
    now = call.store.now()
    changes = {"agent_last_seen_at": now}
    if conversation["assignee_id"] == call.actor.id:
        changes["assignee_last_seen_at"] = now
    call.store.update("conversations", conversation["id"], **changes)
    return conversation_view(call.store, call.actor, fresh(call.store, conversation["id"]))


ROUTES: tuple[tuple[str, str, Endpoint, bool], ...] = (
    ("GET", "/conversations", index, False),
    ("GET", "/conversations/meta", meta, False),
    ("POST", "/conversations", create, True),
    ("GET", "/conversations/{conversation_id}", show, True),
    ("POST", "/conversations/{conversation_id}/update_last_seen", update_last_seen, False),
)
