"""A contact, and its place in an inbox."""

from __future__ import annotations

from chatwoot_sandbox.shapes.inboxes import slim_inbox
from chatwoot_sandbox.shapes.times import seconds
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store


def contact_view(store: Store, contact: Row, *, contact_inboxes: bool = False) -> Row:
    """A contact as in ``meta.sender``; without activity, ``last_activity_at`` is missing."""
    view: Row = {
        "additional_attributes": json_columns.load(contact["additional_attributes"]),
        "availability_status": "offline",
        "email": contact["email"],
        "id": contact["id"],
        "name": contact["name"],
        "phone_number": contact["phone_number"],
        "blocked": bool(contact["blocked"]),
        "identifier": contact["identifier"],
        "thumbnail": "",
        "custom_attributes": json_columns.load(contact["custom_attributes"]),
        "created_at": seconds(contact["created_at"]),
    }
    if store.version.before(4, 0):
        del view["blocked"]
    if contact["last_activity_at"] is not None:
        view["last_activity_at"] = seconds(contact["last_activity_at"])
    if contact_inboxes:
        view["contact_inboxes"] = [
            contact_inbox_view(store, row)
            for row in store.rows("SELECT * FROM contact_inboxes WHERE contact_id = ? ORDER BY id", contact["id"])
        ]
    return view


def contact_inbox_view(store: Store, contact_inbox: Row) -> Row:
    inbox = store.by_id("inboxes", contact_inbox["inbox_id"])
    return {"source_id": contact_inbox["source_id"], "inbox": slim_inbox(inbox) if inbox else None}


def contact_push(contact: Row) -> Row:
    return {
        "additional_attributes": json_columns.load(contact["additional_attributes"]),
        "custom_attributes": json_columns.load(contact["custom_attributes"]),
        "email": contact["email"],
        "id": contact["id"],
        "identifier": contact["identifier"],
        "name": contact["name"],
        "phone_number": contact["phone_number"],
        "thumbnail": "",
        "blocked": bool(contact["blocked"]),
        "type": "contact",
    }
