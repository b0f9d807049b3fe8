"""How Rails reads ids, numbers and arrays out of what was sent."""

from __future__ import annotations

import re
from typing import Any, cast

from chatwoot_sandbox.errors import ResourceNotFound

_LEADING = re.compile(r"\s*(\d+)")
_BIGINT = 2**63 - 1


def leading_int(text: object) -> int:
    """``12abc`` is 12; what starts with no digit, or is out of range, is not found."""
    found = _LEADING.match(str(text))
    if not found or int(found[1]) > _BIGINT:
        raise ResourceNotFound
    return int(found[1])


def as_array(value: object) -> list[Any] | None:
    """The value where it is an array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None
