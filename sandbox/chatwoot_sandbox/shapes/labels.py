"""The titles of a record's labels."""

from __future__ import annotations

from typing import Literal

from chatwoot_sandbox.store.store import Store

Owner = Literal["conversation", "contact"]


def labels_of(store: Store, owner: Owner, owner_id: int) -> list[str]:
    rows = store.rows(f"SELECT title FROM {owner}_labels WHERE {owner}_id = ? ORDER BY rowid", owner_id)  # noqa: S608
    return [str(row["title"]) for row in rows]
