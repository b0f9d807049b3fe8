"""A world file: read, and refused where it is faulty, by place and reason."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from chatwoot_sandbox.store.world_format import CHANNELS, GAP, SECTIONS, UNIQUE, Fields

World: TypeAlias = dict[str, list[dict[str, Any]]]
"""The sections by name; one that the file lacks is empty."""
PACKAGED: Final = Path(__file__).with_name("world.json")
_NOTES: Final = {"about", "password"}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
    "key": (str,),
}


class WorldInvalid(Exception):
    """The file's faults, a line each: where, and what is wrong there."""


class _Place:
    """Where in the file something stands."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __truediv__(self, name: str) -> _Place:
        return _Place(f"{self.path}.{name}" if self.path else name)

    def __getitem__(self, index: int) -> _Place:
        return _Place(f"{self.path}[{index}]")

    def __str__(self) -> str:
        return self.path


class _Checker:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.keys: dict[str, str] = {}

    def fault(self, place: _Place, reason: str) -> None:
        self.faults.append(f"{place}: {reason}")

    def collect(self, place: _Place, key: object, kind: str) -> None:
        """Note a key, which must be of its section's kind, and the only one of its name."""
        if not isinstance(key, str) or not key.startswith(f"{kind}:") or key == f"{kind}:":
            self.fault(place, f"must be a key like {kind}:name")
        elif key in self.keys:
            self.fault(place, f"{key} is there already, at {self.keys[key]}")
        else:
            self.keys[key] = str(place)

    def fields(self, place: _Place, row: dict[str, Any], known: Fields) -> None:
        for name in row.keys() - known.keys() - {"key", "gap"}:
            self.fault(place / name, f"no such field; there are {', '.join(known)}")
        for name, kind in known.items():
            value = row.get(name)
            if isinstance(kind, dict):
                for at, nested in self.rows(place / name, value or []):
                    self.fields(at, nested, kind)
            elif value is not None:
                self.value(place / name, value, kind.removesuffix("!"))
            elif kind.endswith("!"):
                self.fault(place / name, "is missing")

    def rows(self, place: _Place, value: object) -> Generator[tuple[_Place, dict[str, Any]]]:
        if not isinstance(value, list):
            self.fault(place, "must be a list")
            return
        for number, row in enumerate(cast("list[object]", value)):
            if isinstance(row, dict):
                yield place[number], cast("dict[str, Any]", row)
            else:
                self.fault(place[number], "must be an object")

    def value(self, place: _Place, value: Any, kind: str) -> None:
        if kind.startswith("["):
            for number, each in enumerate(cast("list[object]", value) if isinstance(value, list) else [value]):
                self.value(place[number], each, kind.strip("[]"))
        elif ":" in kind:
            self._reference(place, value, kind)
        elif kind in _TYPES:
            is_boolean = isinstance(value, bool)
            if not isinstance(value, _TYPES[kind]) or is_boolean is not (kind == "boolean"):
                self.fault(place, f"must be {'an' if kind == 'object' else 'a'} {kind}")
        elif value not in kind.split("|"):
            self.fault(place, f"must be one of {', '.join(kind.split('|'))}")

    def _reference(self, place: _Place, value: object, kind: str) -> None:
        kinds = kind.split("|")
        if not isinstance(value, str) or not value.startswith(tuple(kinds)):
            self.fault(place, f"must be a key like {' or '.join(f'{each}name' for each in kinds)}")
        elif value not in self.keys:
            self.fault(place, f"there is no {value}")

    def channel(self, place: _Place, channel: object) -> None:
        given = cast("dict[str, Any]", channel) if isinstance(channel, dict) else {}
        kind = given.get("type")
        if kind not in CHANNELS:
            self.fault(place / "type", f"must be one of {', '.join(CHANNELS)}")
            return
        for name in CHANNELS[kind].needs:
            if not isinstance(given.get(name), str) or not given[name]:
                self.fault(place / name, f"is missing; a {kind} needs it")

    def unique(self, world: World) -> None:
        for section, groups in UNIQUE.items():
            for names in groups:
                seen: dict[tuple[Any, ...], int] = {}
                for number, row in enumerate(world[section]):
                    value = tuple(row.get(name) for name in names)
                    if value[-1] is not None and seen.setdefault(value, number) != number:
                        place = _Place(section)[number] / names[-1]
                        self.fault(place, f"{value[-1]} is there already, at {section}[{seen[value]}]")


def read_world(path: str | Path | None = None) -> World:
    """The file's world, or the packaged one. Raises WorldInvalid."""
    try:
        given: object = json.loads(Path(path or PACKAGED).read_bytes())
    except OSError as error:
        raise WorldInvalid(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise WorldInvalid(f"is no JSON: {error}") from None
    return check_world(given)


def check_world(given: object) -> World:
    """The sections, each a list of objects that are as the format says. Raises WorldInvalid."""
    if not isinstance(given, dict):
        raise WorldInvalid("must be a JSON object of sections")
    document = cast("dict[str, Any]", given)
    checker = _Checker()
    for name in document.keys() - SECTIONS.keys() - _NOTES:
        checker.fault(_Place(name), f"no such section; there are {', '.join(SECTIONS)}")
    placed = {name: list(checker.rows(_Place(name), document.get(name, []))) for name in SECTIONS}
    world: World = {name: [row for _, row in rows] for name, rows in placed.items()}
    for name, rows in placed.items():
        for place, row in rows:
            _collect_keys(checker, place, row, SECTIONS[name][0])
    if not checker.faults:  # references are looked up among the keys
        _check_rows(checker, placed)
        checker.unique(world)
    if checker.faults:
        raise WorldInvalid("\n".join(checker.faults))
    return world


def _check_rows(checker: _Checker, placed: dict[str, list[tuple[_Place, dict[str, Any]]]]) -> None:
    for name, rows in placed.items():
        for place, row in rows:
            checker.fields(place, row, GAP if row.get("gap") is True and name == "conversations" else SECTIONS[name][1])
            if name == "inboxes":
                checker.channel(place / "channel", row.get("channel"))
            if name == "conversations":
                _check_conversation(checker, place, row)


def _collect_keys(checker: _Checker, place: _Place, row: dict[str, Any], kind: str) -> None:
    if row.get("gap") is not True or kind != "conv":
        checker.collect(place / "key", row.get("key"), kind)
    if row.get("token") is not None:
        checker.collect(place / "token", row["token"], "token")
    if row.get("slug_key") is not None:
        checker.collect(place / "slug_key", row["slug_key"], "slug")
    for name, nested in (("categories", "category"), ("articles", "article")):
        if kind == "portal":
            for at, each in checker.rows(place / name, row.get(name, [])):
                checker.collect(at / "key", each.get("key"), nested)


def _check_conversation(checker: _Checker, place: _Place, row: dict[str, Any]) -> None:
    """Its messages that people wrote have somebody who wrote them."""
    for at, message in checker.rows(place / "messages", row.get("messages") or []):
        if message.get("message_type") in {"incoming", "outgoing"} and message.get("sender") is None:
            checker.fault(at / "sender", "is missing")
