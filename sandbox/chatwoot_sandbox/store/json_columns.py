"""Columns that hold JSON as text."""

from __future__ import annotations

import json
from typing import Any


def load(text: str) -> Any:
    """A JSON column's value."""
    return json.loads(text)


def dump(value: Any) -> str:
    """A value for a JSON column."""
    return json.dumps(value, ensure_ascii=False)
