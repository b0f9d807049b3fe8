"""Text that other people wrote, made fit for a result: what a reader cannot see goes, what is too long is cut."""

from __future__ import annotations

import unicodedata
from typing import Any, cast

NAME_CHARS = 200
CONTENT_CHARS = 4_000
"""Caps, in characters, on a name and on a message's content in a result."""

# Cc: control; Cf: zero-width, bidirectional, tags; Cs: lone surrogates; Zl and Zp: separators that look like nothing.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_KEPT = {"\n", "\t"}


def clean(text: str, limit: int = CONTENT_CHARS) -> str:
    """The text without invisible characters, cut at ``limit`` characters with a note that says so."""
    if text.isprintable() and len(text) <= limit:
        return text  # most text is, and this is the fast way to know
    seen = "".join(c for c in text[: 2 * limit] if c in _KEPT or unicodedata.category(c) not in _UNSEEN)
    if len(seen) <= limit and len(text) <= 2 * limit:
        return seen
    return f"{seen[:limit]}… [cut, {len(text)} characters in all]"


def clean_json(value: Any, limit: int = CONTENT_CHARS) -> Any:
    """The same for every string of a JSON value, keys included."""
    match value:
        case str():
            return clean(value, limit)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {clean(key, NAME_CHARS): clean_json(inner, limit) for key, inner in items}
        case list():
            return [clean_json(inner, limit) for inner in cast("list[object]", value)]
        case _:
            return value


def upstream_text(text: str) -> str:
    """Chatwoot's own words for a person, on one line of at most 300 characters."""
    return clean(" ".join(text.split()), 300)
