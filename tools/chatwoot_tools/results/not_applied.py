"""What Chatwoot did not honour, and the call that fixes it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from chatwoot_tools.tool import Output

JsonValue = Annotated[Any, Field(description="Any JSON value.")]


class Fix(Output):
    """The call that achieves what was not applied."""

    tool: str
    arguments: dict[str, Any]


class NotApplied(Output):
    """An argument that Chatwoot did not honour. ``actual`` is absent when nothing is set."""

    field: str
    asked: JsonValue
    actual: JsonValue = None
    reason: str
    fix: Fix | None = None
