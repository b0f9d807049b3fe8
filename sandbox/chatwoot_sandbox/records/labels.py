"""Labels of conversations and contacts: a write replaces the whole list."""

from __future__ import annotations

from chatwoot_sandbox.rails import as_array
from chatwoot_sandbox.shapes.labels import Owner, labels_of
from chatwoot_sandbox.store.store import Store


def parse_labels(value: object) -> list[str]:
    """Anything but an array clears the list; a comma splits a label in two."""
    parts = (part.strip() for item in as_array(value) or () for part in str(item).split(","))
    return list(dict.fromkeys(part for part in parts if part))


def replace_labels(store: Store, owner: Owner, owner_id: int, value: object) -> tuple[list[str], list[str]]:
    """Write the new list; returns what was added and what was removed."""
    before, after = labels_of(store, owner, owner_id), parse_labels(value)
    store.execute(f"DELETE FROM {owner}_labels WHERE {owner}_id = ?", owner_id)  # noqa: S608 - two names of ours
    for title in after:
        store.execute(f"INSERT INTO {owner}_labels ({owner}_id, title) VALUES (?, ?)", owner_id, title)  # noqa: S608
    return [title for title in after if title not in before], [title for title in before if title not in after]
