"""JSON values compared and digested, and the attribute that carries them in Chatwoot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

DIGITS: Final = 24
STAMP_KEY: Final = "chatwoot_mcp"
"""In ``additional_attributes`` of conversations and contacts, and ``content_attributes`` of messages."""


def same(one: Any, other: Any) -> bool:
    """As JSON is: to Python 1 and true are the same."""
    match one, other:
        case {}, {}:
            return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
        case [*these], [*those]:
            return len(these) == len(those) and all(map(same, these, those))
        case _:
            return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def digest(value: Any) -> str:
    """A short digest of a JSON value."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS]


def without_stamp(additional_attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``additional_attributes`` without our stamp."""
    return {key: value for key, value in additional_attributes.items() if key != STAMP_KEY}
