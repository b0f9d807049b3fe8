"""What several results are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer

from chatwoot_tools.text import NAME_CHARS, clean
from chatwoot_tools.tool import Output


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_iso, return_type=str)]
"""ISO 8601 in UTC, to the second."""


class Named(Output):
    id: int
    name: str | None = None


def named(record: Any) -> Named | None:
    """Id and name of a contact, an agent or a team."""
    if record is None:
        return None
    return Named(id=record.id, name=clean(record.name, NAME_CHARS) if record.name else None)
