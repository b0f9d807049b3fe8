"""Labels, canned responses and custom attribute definitions."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store import json_columns


def labels(call: Call) -> Any:
    sql = "SELECT id, title, description, color, show_on_sidebar FROM labels WHERE account_id = ? ORDER BY title"
    rows = call.store.rows(sql, call.account_id)
    return {"payload": [{**row, "show_on_sidebar": bool(row["show_on_sidebar"])} for row in rows]}


def canned_responses(call: Call) -> Any:
    wanted = f"%{call.one('search') or ''}%"
    sql = (
        "SELECT * FROM canned_responses WHERE account_id = ? AND (short_code LIKE ? OR content LIKE ?) "
        "ORDER BY short_code"
    )
    rows = call.store.rows(sql, call.account_id, wanted, wanted)
    return [{**row, "created_at": iso(row["created_at"]), "updated_at": iso(row["created_at"])} for row in rows]


def custom_attribute_definitions(call: Call) -> Any:
    """``attribute_model`` as a name, or as Chatwoot's number for it."""
    asked = call.one("attribute_model")
    model = {"0": "conversation_attribute", "1": "contact_attribute"}.get(asked or "", asked)
    rows = call.store.rows("SELECT * FROM custom_attribute_definitions WHERE account_id = ?", call.account_id)
    return [
        {
            **{key: value for key, value in row.items() if key != "account_id"},
            "attribute_values": json_columns.load(row["attribute_values"]),
            "attribute_description": None,
            "regex_pattern": None,
            "regex_cue": None,
            "default_value": None,
            "created_at": iso(row["created_at"]),
            "updated_at": iso(row["created_at"]),
        }
        for row in rows
        if model is None or row["attribute_model"] == model
    ]


ROUTES: Final = (
    Route("GET", "/labels", labels),
    Route("GET", "/canned_responses", canned_responses),
    Route("GET", "/custom_attribute_definitions", custom_attribute_definitions),
)
