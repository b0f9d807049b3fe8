"""Attribute maps of a conversation, within Chatwoot's limits (v4.15.1: beyond them it answers 422)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator

from chatwoot_tools.arguments.inputs import FaultsInside, JsonObject
from chatwoot_tools.digest import STAMP_KEY

MAX_CHARS: Final = 1_500
MAX_INTEGER: Final = 9_999_999_999
"""Limits on the values at the top level; nested ones have none."""


def not_ours(additional_attributes: dict[str, Any]) -> dict[str, Any]:
    if STAMP_KEY in additional_attributes:
        raise FaultsInside(((STAMP_KEY,), "is set by this server itself"))
    return additional_attributes


def _within_limits(attributes: dict[str, Any]) -> dict[str, Any]:
    if faults := [((key,) if key else (), text) for key, value in attributes.items() if (text := _fault(key, value))]:
        raise FaultsInside(*faults)
    return attributes


def _fault(key: str, value: Any) -> str | None:
    if not key:
        return "has an empty name"
    if isinstance(value, str) and len(value) > MAX_CHARS:
        return f"is longer than {MAX_CHARS:,} characters"
    if isinstance(value, int) and not isinstance(value, bool) and value > MAX_INTEGER:
        return f"is a whole number above {MAX_INTEGER:,}"
    return None


Attributes = Annotated[JsonObject, AfterValidator(_within_limits)]
