"""How large a result may be: beyond that its longest parts are cut, and a warning says which."""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel
from pydantic_core import to_json

from chatwoot_tools.text import NAME_CHARS

MAX_RESULT: Final = 100_000
"""In bytes of JSON: 20 messages of 4,000 characters fit."""
_FOR_WARNING: Final = 500
_LEAST: Final = NAME_CHARS
"""What each part keeps: no name, id or address is cut."""
_DEPTH: Final = 8
"""How deep attributes are shown where they have to be cut."""
_MARK: Final = "… [cut"

ModelT = TypeVar("ModelT", bound=BaseModel)


def fitted(result: ModelT) -> ModelT:
    """The result, or one of at most ``MAX_RESULT`` and the same shape whose ``warnings`` say what was cut."""
    fitting, budget, cut = result, MAX_RESULT - _FOR_WARNING, set[str]()
    while _size(fitting) > MAX_RESULT - _FOR_WARNING * bool(cut) and budget > _LEAST:
        fitting, budget = cast("ModelT", _fit(fitting, budget, "", cut)), budget // 2
    if not cut:
        return result
    told = f"The result was too long, only a part is shown of: {', '.join(sorted(cut))}."
    return fitting.model_copy(update={"warnings": [*(getattr(fitting, "warnings", None) or ()), told]})


def _fit(value: Any, budget: int, field: str, cut: set[str], depth: int = 0) -> Any:
    """The value in about ``budget`` bytes; ``cut`` gets the names of the fields that were shortened."""
    if _size(value) <= max(budget, _LEAST):
        return value
    match value:
        case BaseModel():  # the schema may require each field
            fields = {name: inner for name in type(value).model_fields if (inner := getattr(value, name)) is not None}
            each = _share(list(fields.values()), budget)
            return value.model_copy(update={name: _fit(inner, each, name, cut) for name, inner in fields.items()})
        case str():
            cut.add(field)
            return _cut(value, budget)
        case list() | dict() if depth == _DEPTH:
            cut.add(field)
            return f"{_MARK}]"
        case list():
            entries = _first(cast("list[Any]", value), budget, field, cut)
            each = _share(entries, budget)
            return [_fit(inner, each, field, cut, depth + 1) for inner in entries]
        case dict():
            items = dict(_first(list(cast("dict[str, Any]", value).items()), budget, field, cut))
            each = _share(list(items.values()), budget)
            return {key[:_LEAST]: _fit(inner, each, field, cut, depth + 1) for key, inner in items.items()}
        case _:
            return value


def _first(entries: list[Any], budget: int, field: str, cut: set[str]) -> list[Any]:
    """As many as have room for the least of each."""
    for index, entry in enumerate(entries):
        budget -= min(_size(entry), _LEAST) + 1
        if budget < 0:
            cut.add(field)
            return entries[: max(1, index)]
    return entries


def _share(parts: list[Any], budget: int) -> int:
    """How much each part may have so that all fit: what is shorter stays whole, and the rest shares alike."""
    sizes = sorted(_size(part) for part in parts)
    for index, size in enumerate(sizes):
        if size * (len(sizes) - index) > budget:
            return budget // (len(sizes) - index)
        budget -= size
    return budget


def _cut(text: str, budget: int) -> str:
    start, mark, rest = text.rpartition(_MARK)
    whole = mark + rest if mark else f"{_MARK}, {len(text)} characters in all]"
    return (start or text).encode()[:budget].decode(errors="ignore") + whole


def _size(value: Any) -> int:
    return len(to_json(value, exclude_none=True))
