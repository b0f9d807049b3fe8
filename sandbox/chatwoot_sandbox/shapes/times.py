"""Times as Chatwoot shows them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: float | None) -> str | None:
    """``2026-06-17T12:00:00.000Z``."""
    if moment is None:
        return None
    when = datetime.fromtimestamp(moment, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def seconds(moment: float | None) -> int:
    """Unix seconds; 0 means none."""
    return int(moment or 0)
