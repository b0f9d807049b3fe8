"""What is sent and what comes back, free of any HTTP library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

Json = Any
"""Decoded JSON of unknown shape."""


def path(template: str, **values: int | str) -> str:
    """Fill a path template, each value percent-encoded as one segment.

    Raises ValueError for "." and "..", which a URL parser would collapse into another endpoint.
    """
    for name, value in values.items():
        if str(value) in {"", ".", ".."}:
            raise ValueError(f"{name} is not a path segment")
    return template.format_map({name: quote(str(value), safe="") for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class File:
    """A file to send along."""

    name: str
    media_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"File({self.media_type}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to Chatwoot. ``is_write`` decides how it is retried: some reads travel as POST.

    With ``files`` it travels as a form: the values of ``body`` are its fields, those that are no text as JSON.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    body: Json = None
    query: tuple[tuple[str, str], ...] = ()
    is_write: bool = False
    files: tuple[File, ...] = ()

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer: its JSON (None for an empty body), and Chatwoot's clock where it told it."""

    status: int
    data: Json
    date: datetime | None

    def __repr__(self) -> str:
        return f"Answer({self.status})"
