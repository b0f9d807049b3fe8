"""What Rails does: its refusals, and how it casts what was sent to ids, numbers, enums, times, arrays and hashes.

Raise a ``Refusal`` anywhere in an endpoint; the app turns it into the answer that Chatwoot gives.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, cast

INTEGER_BOUND: Final = 2**31
"""The first number that is too large for an ``integer`` column."""
_BIGINT_BOUND: Final = 2**63
_FALSE: Final = (False, None, 0, "0", "f", "F", "false", "FALSE", "off", "OFF", "")
_LEADING: Final = re.compile(r"\s*(\d+)")


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


def check_valid(wrong: list[tuple[str, str]]) -> None:
    """Raises RecordInvalid for what is wrong: pairs of an attribute and the text about it."""
    if wrong:
        raise RecordInvalid(", ".join(text for _, text in wrong), *dict.fromkeys(attribute for attribute, _ in wrong))


def present(value: object) -> bool:
    """Rails' ``present?``: not null, false, white space, or an empty array or hash. Every number is present."""
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, list | dict):
        return len(cast("list[Any] | dict[str, Any]", value)) > 0
    return value is not None and value is not False


def truthy(value: object) -> bool:
    """How a boolean column takes a value: everything but a few words for no is true."""
    return value not in _FALSE


def leading_int(text: object) -> int:
    """``12abc`` is 12. Without leading digits, or out of range, raises ResourceNotFound."""
    found = _LEADING.match(str(text))
    if not found or int(found[1]) >= _BIGINT_BOUND:
        raise ResourceNotFound
    return int(found[1])


def to_i(value: str | None) -> int:
    """Ruby's ``to_i``: the leading digits, else 0."""
    found = re.match(r"\s*(\d{1,18})", value or "")
    return int(found[1]) if found else 0


def cast_integer(value: Any, bound: int = _BIGINT_BOUND) -> int | None:
    """How an integer column takes a value: text by its leading digits (else 0). Raises InternalError out of bounds."""
    if isinstance(value, str):
        found = re.match(r"\s*(-?\d+)", value)
        number = (int(found[1]) if found else 0) if value.strip() else None
    else:
        number = int(value) if isinstance(value, int | float) else None
    if number is not None and not -bound <= number < bound:
        raise InternalError
    return number


def integer_or_none(value: Any) -> int | None:
    """As ``cast_integer``, but out of bounds is None, which no record has as its id."""
    try:
        return cast_integer(value)
    except InternalError:
        return None


def cast_enum(value: object, names: tuple[str, ...]) -> str:
    """An enum's name, sent as the name or the number. Raises InternalError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    if isinstance(value, str) and value in names:
        return value
    raise InternalError


def cast_iso_moment(value: object) -> float | None:
    """The time of an ISO-8601 text; anything else, digits included, is dropped silently."""
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def cast_epoch(value: object) -> float | None:
    """Unix seconds, from the leading digits: an ISO date becomes 1970. Without digits it is a 500."""
    if value is None or value is False:
        return None
    found = re.match(r"\s*(-?\d{1,15})", str(value))
    if not found:
        raise InternalError
    return float(found[1])


def as_array(value: object) -> list[Any] | None:
    """The value where it is an array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def hash_or_empty(value: object) -> dict[str, Any]:
    """The object that was sent; {} for anything else."""
    return cast("dict[str, Any]", value).copy() if isinstance(value, dict) else {}


def hash_or_fail(value: object) -> dict[str, Any]:
    """The object that was sent, {} for null. Raises InternalError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InternalError
    return cast("dict[str, Any]", value).copy()


def page_number(value: object) -> int:
    """The page asked for; 1 for everything that is not a positive number."""
    found = re.match(r"\s*(\d+)", str(value))
    return max(int(found[1]), 1) if found else 1


def page_tail(page: int, size: int) -> str:
    """The end of the SQL of a page."""
    return f"LIMIT {size} OFFSET {min((page - 1) * size, 2**62)}"
