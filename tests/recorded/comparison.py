"""Two answers to the same step, field by field, without what must differ.

Ids are compared by the key of the world or the saved value that they are, times by their kind; tokens, uuids and files
are one as good as another. Lists are aligned by what identifies their elements.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from recorded.player import Answer, Values

_UUID: Final = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_DAYTIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_TOKEN: Final = re.compile(r"(?=\w*\d)(?=\w*[A-Za-z])[\w\-]{20,}")
_FILE: Final = re.compile(r"/(rails/active_storage|files)/[^\s\"']+")
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_ID: Final = re.compile(r"(^|_)ids?$|^in_reply_to$")
_KINDS: Final = {
    "assignee_id": "user", "user_id": "user", "user_ids": "user", "author_id": "user", "conversation_id": "conv",
    "display_id": "conv", "agent_bot_id": "bot", "base_contact_id": "contact", "inbox_ids": "inbox",
}  # fmt: skip
"""What the ids under a key are of, where the key's own name does not say it."""
_SHAPES: Final = (
    ({"message_type", "content"}, "message"),
    ({"can_reply"}, "conv"),
    ({"channel_type"}, "inbox"),
    ({"phone_number", "identifier"}, "contact"),
    ({"available_name"}, "user"),
    ({"confirmed"}, "user"),
    ({"bot_type"}, "bot"),
    ({"allow_auto_assign"}, "team"),
    ({"attribute_key"}, "attr"),
    ({"short_code"}, "canned"),
    ({"color", "title"}, "label"),
    ({"subscriptions"}, "webhook"),
)
"""What an object with these keys is, and so its ``id``."""
_NATURAL: Final = ("source_id", "email", "phone_number", "slug", "short_code", "attribute_key", "title", "name")
_CHANCE: Final = {"pubsub_token", "latest_chatwoot_version", "web_widget_script"}
_EPOCH: Final = 1_000_000_000


@dataclass(frozen=True)
class Id:
    """An id by its names: of the world, and as it was saved. Neither is known of most."""

    world: frozenset[str]
    saved: frozenset[str]

    def agrees(self, other: Id) -> bool:
        if self.world or other.world:
            return self.world == other.world
        return not (self.saved and other.saved) or bool(self.saved & other.saved)


class Side:
    """One Chatwoot's ids, to read its answers by."""

    def __init__(self, ids: Mapping[str, Any]) -> None:
        self._tokens = {str(text): key for key, text in ids.items() if key.startswith("token:")}
        self._keys: dict[tuple[str, int], set[str]] = {}
        for key, value in ids.items():
            if isinstance(value, int):
                self._keys.setdefault((key.partition(":")[0], value), set()).add(key)

    def plain(self, value: Any, values: Values, key: str = "", kind: str = "") -> Any:
        """The value without what must differ."""
        match value:
            case dict():
                own = next((name for keys, name in _SHAPES if keys <= value.keys()), "")
                return {
                    name: self.plain(each, values, name, own) for name, each in cast("dict[str, Any]", value).items()
                }
            case list():
                return [self.plain(each, values, key, kind) for each in cast("list[Any]", value)]
            case bool() | None:
                return value
            case _ if key in _CHANCE:
                return "<chance>"
            case int() if _ID.search(key) and value:
                return self._id(value, key, kind, values)
            case int() | float():
                return f"<{type(value).__name__} time>" if _EPOCH < value < 20 * _EPOCH else value
            case _:
                return self.text(str(value))

    def _id(self, value: int, key: str, kind: str, values: Values) -> Id:
        kind = kind if key in {"id", "ids"} else _KINDS.get(key, re.sub("_ids?$", "", key))
        saved = {name for name, each in values.saved.items() if each == value and not isinstance(each, bool)}
        return Id(frozenset(self._keys.get((kind, value), ())), frozenset(saved))

    def text(self, text: str) -> str:
        for token, key in self._tokens.items():
            text = text.replace(token, key)
        text = _FILE.sub("/<file>", _DAYTIME.sub("<day and time>", _UUID.sub("<uuid>", text)))
        if found := _ISO.fullmatch(text):
            return f"<ISO time{' with milliseconds' if found[1] else ''} {found[2] or ''}>"
        return "<token>" if _TOKEN.fullmatch(text) else text


def differences(real: tuple[Side, Answer, Values], other: tuple[Side, Answer, Values]) -> list[str]:
    """What differs, a text each: what, and where. Where the status or kind does, nothing else is looked at."""
    (left_side, left, left_values), (right_side, right, right_values) = real, other
    if left.status != right.status:
        return [f"status {left.status}, not {right.status}"]
    if left.kind != right.kind:
        return [f"{left.kind}, not {right.kind}"]
    bodies = (_readable(left), _readable(right))
    found = _differ(left_side.plain(bodies[0], left_values), right_side.plain(bodies[1], right_values), "")
    headers = [(left_side.text(left.headers.get(name, "")), right_side.text(right.headers.get(name, "")), name)
               for name in left.headers.keys() | right.headers.keys()]  # fmt: skip
    return list(dict.fromkeys([*found, *(f"header {name}" for mine, yours, name in headers if mine != yours)]))


def _readable(answer: Answer) -> Any:
    """Of a page the title alone."""
    if answer.kind != "html":
        return answer.body
    found = _TITLE.search(answer.body)
    return found[1].strip() if found else ""


def _differ(left: Any, right: Any, place: str) -> Iterator[str]:
    if isinstance(left, Id) and isinstance(right, Id):
        if not left.agrees(right):
            yield f"value {place}"
    elif _type(left) != _type(right):
        yield f"type {place}: {_type(left)}, not {_type(right)}"
    elif isinstance(left, dict):
        yield from _differ_objects(cast("dict[str, Any]", left), right, place)
    elif isinstance(left, list):
        yield from _differ_lists(cast("list[Any]", left), right, place)
    elif left != right:
        yield f"value {place or '/'}"


def _type(value: Any) -> str:
    if isinstance(value, Id) or (isinstance(value, str) and value in {"<int time>", "<float time>"}):
        return "number"
    names: dict[Any, str] = {dict: "object", list: "array", str: "text", bool: "boolean", type(None): "null"}
    return names.get(type(cast("Any", value)), "number")


def _differ_objects(left: dict[str, Any], right: dict[str, Any], place: str) -> Iterator[str]:
    for key in left.keys() | right.keys():
        if key not in right:
            yield f"lacks {place}/{key}"
        elif key not in left:
            yield f"has {place}/{key}"
        else:
            yield from _differ(left[key], right[key], f"{place}/{key}")


def _differ_lists(left: list[Any], right: list[Any], place: str) -> Iterator[str]:
    mine, yours = _labels(left), _labels(right)
    if mine is None or yours is None or not mine.keys() & yours.keys():
        if len(left) != len(right):
            yield f"length {place or '/'}"
        for first, second in zip(left, right, strict=False):
            yield from _differ(first, second, f"{place}/*")
        return
    common = [name for name in mine if name in yours]
    if len(common) < len(mine):
        yield f"lacks {place}/*"
    if len(common) < len(yours):
        yield f"has {place}/*"
    if common != [name for name in yours if name in mine]:
        yield f"order {place or '/'}"
    for name in common:
        yield from _differ(mine[name], yours[name], f"{place}/*")


def _labels(items: list[Any]) -> dict[str, Any] | None:
    """The elements by what identifies them; None where that does not tell them apart."""
    labels = {_label(item): item for item in items}
    return labels if items and None not in labels and len(labels) == len(items) else None  # type: ignore[return-value]


def _label(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    item = cast("dict[str, Any]", item)
    own = item.get("id")
    if isinstance(own, Id) and (own.world or own.saved):
        return ", ".join(sorted(own.world or own.saved))
    named = [f"{key} {item[key]}" for key in _NATURAL if isinstance(item.get(key), str) and item[key]]
    if "content" in item:
        named = [json.dumps([item["content"], item.get("message_type")])]
    return named[0] if named else None
