"""Whether what the client made of an answer is what stands in it, and which keys of its models are not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from aiochatwoot.models import Resource
from aiochatwoot.request import Answer
from aiochatwoot.resources.contacts import ContactPage
from aiochatwoot.resources.conversations import Created
from recorded.replay import Played


@dataclass
class Keys:
    """Of a model's fields (``Contact.email``), how often each was met, missing and null; and what does not agree."""

    met: dict[str, int] = field(default_factory=dict[str, int])
    missing: dict[str, int] = field(default_factory=dict[str, int])
    null: dict[str, int] = field(default_factory=dict[str, int])
    wrong: list[str] = field(default_factory=list[str])


def look(played: Played, keys: Keys) -> None:
    """Compare the result with the answer, and count."""
    for got, raw in zip(_results(played), _answers(played), strict=True):
        for where in _differences(got, raw, keys, played.way.name):
            keys.wrong.append(f"{where} in {played.exchange!r}")


def _results(played: Played) -> tuple[Any, ...]:
    match played.result:
        case ContactPage(contacts=contacts, total=total):
            return (contacts, total)[: len(played.way.at)]
        case Created(conversation=conversation):
            return (conversation,)
        case Answer(data=data):
            return (data,)
        case result:
            return result if len(played.way.at) > 1 else (result,)


def _answers(played: Played) -> Iterator[Any]:
    for pointer in played.way.at:
        value = played.exchange.answer
        for key in filter(None, pointer.split("/")):
            value = value.get(key) if value else None
        yield value


def _differences(got: Any, raw: Any, keys: Keys, where: str) -> Iterator[str]:
    if isinstance(got, Resource):
        yield from _in_resource(got, raw, keys)
    elif isinstance(got, tuple) and isinstance(raw, list):
        pairs = zip(cast("tuple[Any, ...]", got), cast("list[Any]", raw), strict=True)
        for each, its in pairs:
            yield from _differences(each, its, keys, where)
    elif isinstance(got, datetime):
        if got != _moment(raw):
            yield f"{where}: {got} is not {raw}"
    elif (got, raw) not in ((None, 0), ({}, None)) and (got != raw or isinstance(got, bool) != isinstance(raw, bool)):
        yield f"{where}: {got!r} is not {raw!r}"


def _in_resource(got: Resource, raw: Any, keys: Keys) -> Iterator[str]:
    for name in type(got).model_fields:
        key = f"{type(got).__name__}.{name}"
        keys.met[key] = keys.met.get(key, 0) + 1
        if name not in raw:
            keys.missing[key] = keys.missing.get(key, 0) + 1
            continue
        if raw[name] is None:
            keys.null[key] = keys.null.get(key, 0) + 1
        yield from _differences(getattr(got, name), raw[name], keys, key)


def _moment(raw: Any) -> datetime:
    return datetime.fromtimestamp(raw, UTC) if isinstance(raw, int | float) else datetime.fromisoformat(raw)
