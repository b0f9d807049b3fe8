"""Which conversations a list shows: those that the caller may see, narrowed by the query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import ResourceNotFound, leading_int, to_i
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store

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
        return store.count(f"SELECT count(*) FROM conversations c WHERE {where}", *self.params, *params)  # noqa: S608


def accessible_conversations(call: Call) -> Query:
    """The account's conversations; for an agent, those of their inboxes."""
    query = Query()
    query.where("c.account_id = ?", call.account_id)
    if call.actor.role == "agent":
        query.where("c.inbox_id IN (SELECT inbox_id FROM inbox_members WHERE user_id = ?)", call.actor.id)
    return query


def _query_values(call: Call, name: str) -> list[str]:
    return [*call.query.get(f"{name}[]", []), *call.query.get(name, [])]


def _filter_status(call: Call, query: Query) -> None:
    """``open`` by default; a text search looks at every status."""
    wanted = [value for value in _query_values(call, "status") if value] or ["open"]
    if "all" not in wanted and not call.one("q"):
        query.where(f"c.status IN ({', '.join('?' * len(wanted))})", *wanted)


def _filter_labels(call: Call, query: Query) -> None:
    wanted = [part.strip() for value in _query_values(call, "labels") for part in value.split(",") if part.strip()]
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
        query.where("c.inbox_id = ?", to_i(call.one("inbox_id")))
    if kind == "unattended":
        query.where("c.first_reply_created_at IS NULL OR c.waiting_since IS NOT NULL")
    elif kind in {"mention", "participating"}:
        query.where("0")
    if text:
        query.where(
            "EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id AND m.message_type IN (?, ?)"
            " AND m.content LIKE '%' || ? || '%')",
            *(MessageType.INCOMING, MessageType.OUTGOING, text),
        )
    if source_id:
        query.where("c.contact_inbox_id IN (SELECT id FROM contact_inboxes WHERE source_id = ?)", source_id)
    if call.one("updated_within"):
        query.where("c.updated_at > ?", call.store.now() - to_i(call.one("updated_within")))


def find_conversations(call: Call) -> Query:
    """Narrowed by all but ``assignee_type``, which the counts ignore."""
    query = accessible_conversations(call)
    _filter_status(call, query)
    _filter_labels(call, query)
    _filter_team(call, query)
    _filter_rest(call, query)
    return query


def count_conversations(call: Call, query: Query) -> dict[str, int]:
    return {
        "mine_count": query.count(call.store, "c.assignee_id = ?", call.actor.id),
        "assigned_count": query.count(call.store, "c.assignee_id IS NOT NULL"),
        "unassigned_count": query.count(call.store, "c.assignee_id IS NULL"),
        "all_count": query.count(call.store),
    }


def count_page(call: Call, query: Query, tail: str) -> dict[str, int]:
    """With ``q``, even a blank one, the page alone is counted."""
    assignees = [row["assignee_id"] for row in query.rows(call.store, tail)]
    return {
        "mine_count": assignees.count(call.actor.id),
        "assigned_count": len(assignees) - assignees.count(None),
        "unassigned_count": assignees.count(None),
        "all_count": len(assignees),
    }


def filter_assignee(call: Call, query: Query) -> None:
    kind = call.one("assignee_type")
    if kind == "me":
        query.where("c.assignee_id = ?", call.actor.id)
    elif kind == "unassigned":
        query.where("c.assignee_id IS NULL")
    elif kind == "assigned":
        query.where("c.assignee_id IS NOT NULL")


def sort_order(call: Call) -> str:
    return _ORDERS.get(call.one("sort_by") or "", _NEWEST)
