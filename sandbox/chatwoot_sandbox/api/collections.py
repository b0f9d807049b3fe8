"""The dull families: records of one table, shown much as they are stored.

To add one, add a ``Collection`` to ``COLLECTIONS``, and its table to ``store/schema.py`` if it has none yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row

Condition = tuple[str, tuple[object, ...]]
"""An SQL expression and its parameters."""


def _all(_: Call) -> Condition:
    return "1", ()


@dataclass(frozen=True, slots=True)
class Collection:
    """What the routes of a family are made from.

    ``table`` is its path, too. ``fields`` are the columns that are shown as they are, ``view`` gives what is shown
    otherwise. ``narrow`` reads from the query which records are meant. ``wrapped`` lists stand under ``payload``.
    """

    table: str
    fields: tuple[str, ...]
    view: Callable[[Row], Row]
    order: str = "id"
    narrow: Callable[[Call], Condition] = _all
    wrapped: bool = False

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", f"/{self.table}", self.list_records),)

    def list_records(self, call: Call) -> Any:
        condition, params = self.narrow(call)
        sql = f"SELECT * FROM {self.table} WHERE account_id = ? AND ({condition}) ORDER BY {self.order}"  # noqa: S608
        shown = [self._show(row) for row in call.store.rows(sql, call.account_id, *params)]
        return {"payload": shown} if self.wrapped else shown

    def _show(self, row: Row) -> Row:
        return {**{field: row[field] for field in self.fields}, **self.view(row)}


def _times(row: Row) -> Row:
    return {"created_at": iso(row["created_at"]), "updated_at": iso(row["created_at"])}


def _search_canned_responses(call: Call) -> Condition:
    wanted = f"%{call.one('search') or ''}%"
    return "short_code LIKE ? OR content LIKE ?", (wanted, wanted)


def _of_attribute_model(call: Call) -> Condition:
    """``attribute_model`` as a name, or as Chatwoot's number for it."""
    asked = call.one("attribute_model")
    model = {"0": "conversation_attribute", "1": "contact_attribute"}.get(asked or "", asked)
    return _all(call) if model is None else ("attribute_model = ?", (model,))


COLLECTIONS: Final = (
    Collection(
        "labels",
        ("id", "title", "description", "color"),
        lambda row: {"show_on_sidebar": bool(row["show_on_sidebar"])},
        order="title",
        wrapped=True,
    ),
    Collection(
        "canned_responses",
        ("id", "account_id", "short_code", "content"),
        _times,
        order="short_code",
        narrow=_search_canned_responses,
    ),
    Collection(
        "custom_attribute_definitions",
        ("id", "attribute_model", "attribute_key", "attribute_display_name", "attribute_display_type"),
        lambda row: {
            "attribute_values": json_columns.load(row["attribute_values"]),
            "created_at": iso(row["created_at"]),
            "attribute_description": None,
            "regex_pattern": None,
            "regex_cue": None,
            "default_value": None,
            "updated_at": iso(row["created_at"]),
        },
        narrow=_of_attribute_model,
    ),
)
ROUTES: Final = tuple(route for collection in COLLECTIONS for route in collection.routes)
