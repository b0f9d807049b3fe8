"""What a tool accepts: lenient about form, strict about meaning, every fault of a call named at once."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, Literal, Self, TypeVar, Union, cast, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from aiochatwoot.transport import MAX_DIGITS
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import clean

MAX_ID: Final = 2**31 - 1
"""Chatwoot keeps ids in 32 bits; a larger one makes it answer 500."""
MAX_DEPTH: Final = 32
"""How deep JSON may be nested in an argument (Chatwoot's own parser stops at 100)."""
MAX_PARTS: Final = 10_000
"""How many names and values an argument may hold in all: far beyond what anybody reads in a conversation."""
MAX_JSON_TEXT: Final = 1024 * 1024
"""How long a JSON text may be that stands for an object or a list: the longest message, all of it escaped, fits."""
MAX_ITEMS: Final = 100
"""How long a list may be where nothing else is said: far beyond the labels of any conversation."""
MAX_ITEM_TEXT: Final = 1_600
"""How long an entry may be in a list that comes as a JSON text: 255 characters, all of them escaped, fit."""
FAULTS_SHOWN: Final = 10
MAX_LIMIT: Final = 25

_TOO_LONG: Final = 10**MAX_DIGITS
_WHOLE = re.compile(r"\d{1,19}(\.0+)?")
_NAME_SHOWN: Final = 40
_PLACES_SHOWN: Final = 8

InputT = TypeVar("InputT", bound="Input")


def _whole_number(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value.strip().split(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number of 1 or more")
    if value > MAX_ID:
        raise ValueError("is too large for an id")
    return value


def _a_page(value: int) -> int:
    if value > MAX_LIMIT:
        raise ValueError(f"must be {MAX_LIMIT} or less: use next_cursor for more")
    return value


def _name_or_id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _unwrapped(value: object, opening: str = "{", at_most: int = MAX_JSON_TEXT) -> object:
    """The object or list in a JSON text: some hosts send those as strings. One that is too long is not even parsed."""
    if not isinstance(value, str) or not value[:64].lstrip().startswith(opening):
        return value
    if len(value) > at_most:
        raise ValueError(f"is a JSON text of more than {at_most:,} characters")
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def listed(at_most: int = MAX_ITEMS) -> BeforeValidator:
    """A list; one text alone is a list of one. Too long a one is refused before anybody looks at what it holds."""

    def as_list(value: object) -> object:
        value = _unwrapped(value, "[", at_most * MAX_ITEM_TEXT)
        if isinstance(value, list) and len(cast("list[object]", value)) > at_most:
            raise ValueError(f"holds more than {at_most:,} entries")
        return cast("object", [value] if isinstance(value, str) else value)

    return BeforeValidator(as_list)


def _distinct(titles: list[str]) -> list[str]:
    for title in titles:
        if "," in title:
            raise ValueError("must not hold a comma: Chatwoot would split it in two")
    return list(dict.fromkeys(title.strip() for title in titles))


def _moment(value: object) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        raise ValueError("must be a time in ISO 8601, such as 2027-01-05T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("needs a time zone, such as Z or +02:00")
    return moment.astimezone(UTC)


def _in_the_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("must be in the future")
    return moment


def _plain_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode text") from None
    if "\0" in text:
        raise ValueError("holds a NUL character, which Chatwoot cannot store")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


class FaultsInside(ValueError):
    """Each what is wrong inside a JSON value, with the names and places that lead there."""

    def __init__(self, *faults: tuple[tuple[int | str, ...], str]) -> None:
        self.faults, self.more = faults[:FAULTS_SHOWN], len(faults[FAULTS_SHOWN:])
        super().__init__("; ".join(text for _, text in self.faults))


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON, UTF-8 or Chatwoot's database cannot hold. Walks without recursion."""
    rest: list[tuple[tuple[int | str, ...], Any]] = [((), value)]
    faults: list[tuple[tuple[int | str, ...], str]] = []
    seen = 1
    while rest:
        path, node = rest.pop()
        seen += _held_by(node)
        if seen > MAX_PARTS:
            raise ValueError(f"holds more than {MAX_PARTS:,} names and values")
        if len(path) >= MAX_DEPTH:
            faults.append((path, f"is nested deeper than {MAX_DEPTH} levels"))
            continue
        try:
            rest.extend(((*path, name), inner) for name, inner in reversed(_parts(node)))
        except ValueError as fault:
            faults.append((path, str(fault)))
    if faults:
        raise FaultsInside(*faults)
    return value


def _held_by(node: Any) -> int:
    if isinstance(node, dict):
        return 2 * len(cast("dict[str, Any]", node))
    return len(cast("list[Any]", node)) if isinstance(node, list) else 0


def _parts(node: Any) -> list[tuple[int | str, Any]]:
    """What an object or a list holds, by name or place. Raises ValueError for what cannot be stored."""
    if isinstance(node, dict):
        named = cast("dict[str, Any]", node)
        for name in named:
            _plain_text(name)
        return list(named.items())
    if isinstance(node, list):
        return list(enumerate(cast("list[Any]", node)))
    if isinstance(node, str):
        _plain_text(node)
    if isinstance(node, float) and not math.isfinite(node):
        raise ValueError("is a number that JSON cannot express")
    if isinstance(node, int) and abs(node) >= _TOO_LONG:
        raise ValueError(f"is a number of more than {MAX_DIGITS} digits: give it as text")
    return []


Id = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_plain_text), AfterValidator(_not_blank)]
NameOrId = Annotated[Text, Field(max_length=255), BeforeValidator(_name_or_id)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_unwrapped), AfterValidator(_storable)]
Titles = Annotated[list[Annotated[Text, Field(max_length=255)]], listed(), AfterValidator(_distinct)]
"""Labels, as a list or one text."""
Names = Annotated[list[NameOrId], listed(at_most=10)]
Keys = Annotated[list[Text], listed()]
Priority = Literal["low", "medium", "high", "urgent"]
PriorityOrNone = Literal["low", "medium", "high", "urgent", "none"]
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_the_future)]
ResponseFormat = Annotated[Literal["concise", "detailed"], Field(description="detailed adds Chatwoot's answer.")]


Limit = Annotated[int, BeforeValidator(_whole_number), AfterValidator(_a_page)]
"""How many entries of a list, at most a page of Chatwoot's."""


class Input(BaseModel):
    """Base of every fixed shape in an input. Null means absent; unknown names are refused.

    Some clients can neither leave an argument out nor send null: where a text, list, object or id is optional, an
    empty one (of an id, 0) means absent as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:  # noqa: ARG003 - for overriders
        """Faults that lie between fields, as (field, what is wrong). Override where a shape has any."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _validate_all(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report faults between fields beside those inside them; pydantic alone would stop at the latter."""
        data = _unwrapped(data)
        if not isinstance(data, dict):
            return handler(data)
        blanks = _blanks_of(cls)
        items, more = _few_unknown(cast("dict[str, Any]", data), cls)
        given = {key: value for key, value in items if not _is_blank(value, blanks.get(key, ()))}
        faults = [_fault((field,), text) for field, text in cls.faults_across(given)]
        try:
            model = handler(given)
        except ValidationError as error:
            found = error.errors(include_url=False)
            # Wording costs time (the nearest name is searched for), so only those that will be shown get theirs.
            worded = [fault for each in found[:FAULTS_SHOWN] for fault in _worded(each, cls)]
            faults = worded + faults
            more += sum(map(_count, found[FAULTS_SHOWN:]))
        else:
            if not faults:
                return model
        if more:
            faults.append(_more(more))
        raise ValidationError.from_exception_data(cls.__name__, faults, hide_input=True)


class ReadInput(Input):
    """What every tool takes beside its own arguments."""

    account_id: Annotated[Id | None, Field(description="Needed only with several accounts.")] = None


class PagedInput(ReadInput):
    """What tools that list take beside that."""

    limit: Annotated[Limit, Field(description="1 to 25.")] = 25
    cursor: Annotated[Text | None, Field(description="next_cursor of the page before.")] = None


class WriteInput(ReadInput):
    """What every writing tool takes beside its own arguments."""

    dry_run: Annotated[bool, Field(description="Check, write nothing.")] = False


Key = Annotated[Text, Field(max_length=255)]
"""An idempotency key."""


def parse_arguments(model: type[InputT], arguments: dict[str, Any]) -> InputT:
    """The validated input, or ToolFailure ``invalid_arguments`` that names every fault and the way out."""
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
    except RecursionError:
        raise ToolFailure(
            "invalid_arguments", "Nothing was sent to Chatwoot. The arguments are nested too deep."
        ) from None
    shown = [fault for fault in faults if fault["type"] != _MORE][:FAULTS_SHOWN]
    lines = [f"`{_dotted(fault['loc'])}` {fault['msg']}" for fault in shown]
    if more := sum(map(_count, faults)) - len(shown):
        lines.append(f"and {more} more faults")
    text = f"Nothing was sent to Chatwoot. {'; '.join(lines)}."
    raise ToolFailure("invalid_arguments", text, field=_dotted(shown[0]["loc"]))


def _is_blank(value: Any, blanks: tuple[Any, ...]) -> bool:
    return value is None or any(type(value) is type(blank) and value == blank for blank in blanks)


@cache
def _blanks_of(model: type[Input]) -> dict[str, tuple[Any, ...]]:
    """Per optional field the values that say nothing. A required one refuses them."""
    return {name: _blanks(field.annotation) for name, field in model.model_fields.items() if not field.is_required()}


def _blanks(annotation: Any) -> tuple[Any, ...]:
    if annotation == Id:
        return (0, "0", "")
    kind = get_origin(annotation) or annotation
    if kind is Annotated:
        return _blanks(get_args(annotation)[0])
    if kind in (Union, UnionType):
        return tuple(blank for part in get_args(annotation) for blank in _blanks(part))
    if kind is Literal or issubclass(kind, str | date):
        return ("",)
    if issubclass(kind, list):
        return ([], "[]", "")
    return ({}, "{}", "") if issubclass(kind, dict | BaseModel) else ()


def _fault(loc: tuple[int | str, ...], text: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=loc, input=None)


_MORE: Final = "more_faults"


def _more(count: int) -> InitErrorDetails:
    """Stands for faults that are counted and not shown."""
    return InitErrorDetails(type=PydanticCustomError(_MORE, "{count}", {"count": count}), loc=(), input=None)


def _count(found: ErrorDetails) -> int:
    return int(found["ctx"]["count"]) if found["type"] == _MORE and "ctx" in found else 1


def _few_unknown(data: dict[str, Any], model: type[Input]) -> tuple[list[tuple[str, Any]], int]:
    """What was given under known names and the first unknown ones, and how many more unknown ones there were."""
    fields = model.model_fields
    known = [(name, data[name]) for name in fields if name in data]
    unknown = islice((each for each in data.items() if each[0] not in fields), FAULTS_SHOWN)
    items = [*known, *unknown]
    return items, len(data) - len(items)


def _worded(found: ErrorDetails, model: type[Input]) -> list[InitErrorDetails]:
    error = found.get("ctx", {}).get("error")
    if isinstance(error, FaultsInside):
        worded = [_fault((*found["loc"], *path), text) for path, text in error.faults]
        return [*worded, _more(error.more)] if error.more else worded
    if found["type"] == _MORE:
        return [_more(_count(found))]
    return [_fault(found["loc"], _wording(found, model))]


def _dotted(loc: tuple[int | str, ...]) -> str:
    if len(loc) > _PLACES_SHOWN:
        loc = (*loc[: _PLACES_SHOWN - 1], "…", loc[-1])
    return ".".join(clean(str(part), _NAME_SHOWN).replace("`", "'") for part in loc) or "arguments"


_WORDINGS: Final = {
    "missing": "is required",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
}


def _wording(found: ErrorDetails, model: type[Input]) -> str:
    """What is wrong, and the way out, without the value: it may be personal data."""
    match found["type"], found.get("ctx", {}):
        case "value_error", {"error": error}:
            return str(error)
        case "extra_forbidden", _:
            return f"is not an argument{_nearest(str(found['loc'][-1]), model)}"
        case "literal_error", {"expected": expected}:
            return f"must be one of {str(expected).replace(chr(39), '').replace(' or ', ', ')}"
        case "string_too_long" | "too_long", {"max_length": limit}:
            return f"is longer than {limit:,} characters"
        case kind, _:
            return _WORDINGS.get(kind, found["msg"])


def _nearest(name: str, model: type[Input]) -> str:
    if near := difflib.get_close_matches(name[:64], model.model_fields, n=1, cutoff=0.6):
        return f" (did you mean `{near[0]}`?)"
    return f" (known are {', '.join(model.model_fields)})"
