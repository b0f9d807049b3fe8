"""What one case is: a call, the request of it that is cut, and how to look at what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.prove.direct import Row
from scripts.prove.place import Place
from scripts.prove.proxy import Wanted


@dataclass(frozen=True, slots=True)
class There:
    """What is there of one call: by part the ids of what it was to make, or the value where it is as asked.

    ``conversation`` is Chatwoot's own, where the tool shows it; ``fields`` are those of it that were asked for.
    """

    parts: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    conversation: Row | None = None
    fields: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    """Of a tool that reads: in what its result differs from what is there."""


@dataclass(frozen=True, slots=True)
class Try:
    """``look`` is given the structured content of the tool's result, empty where there is none."""

    arguments: dict[str, Any]
    look: Callable[[Row], Awaitable[There]]


Attempt = Callable[[], Awaitable[Try]]
Begin = Callable[[Place], Awaitable[Attempt]]


@dataclass(frozen=True, slots=True)
class Case:
    """``part`` is what the request that is cut makes, "" for a read. ``begin`` makes what the case stands on, once for
    all cuts, and gives what makes each try."""

    tool: str
    name: str
    part: str
    wanted: Wanted
    begin: Begin
    takes_key: bool = True


def read(conversation: Row, name: str) -> Any:
    """A field of a conversation, of Chatwoot's shape or the tools'."""
    people: Row = conversation.get("meta", conversation)
    match name:
        case "assignee" | "team":
            held: Row = people.get(name) or {}
            return held.get("id")
        case "labels":
            return sorted(conversation.get("labels") or ())
        case "custom_attributes":
            return conversation.get(name) or {}
        case _:
            return conversation.get(name)
