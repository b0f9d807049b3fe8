"""What Rails does: its refusals, and how it reads ids, numbers and arrays out of what was sent.

Raise a ``Refusal`` anywhere in an endpoint; the app turns it into the answer that Chatwoot gives.
"""

from __future__ import annotations

import re
from typing import Any, cast


class Refusal(Exception):
    """An answer other than success: a status and a JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class ResourceNotFound(Refusal):
    def __init__(self) -> None:
        super().__init__(404, {"error": "Resource could not be found"})


class NotAuthorized(Refusal):
    """Every permission problem is 401; the text tells which."""

    def __init__(self, text: str = "You are not authorized to do this action") -> None:
        super().__init__(401, {"error": text})


class Unprocessable(Refusal):
    def __init__(self, text: str) -> None:
        super().__init__(422, {"error": text})


class RecordInvalid(Refusal):
    """A model's validation failed."""

    def __init__(self, message: str, *attributes: str) -> None:
        super().__init__(422, {"message": message, "attributes": list(attributes)})
        self.message = message


class InternalError(Refusal):
    """What Chatwoot answers to anything that it did not expect."""

    def __init__(self) -> None:
        super().__init__(500, {"status": 500, "error": "Internal Server Error"})


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
