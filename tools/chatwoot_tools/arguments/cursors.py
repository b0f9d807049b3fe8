"""Cursors: where the next page of a list begins. They hold for the query that they came from, and no other."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Self, cast

from chatwoot_tools.digest import digest
from chatwoot_tools.failures.codes import ToolFailure


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list of Chatwoot's pages: a page (or a message id), and how many of its entries were shown."""

    page: int = 1
    offset: int = 0

    @classmethod
    def of(cls, cursor: str | None, query: Any) -> Self:
        """Where a cursor points. Raises ToolFailure ``invalid_arguments`` for one of another query."""
        if cursor is None:
            return cls()
        try:
            mark, page, offset = cast("list[Any]", json.loads(base64.urlsafe_b64decode(cursor.encode())))
            valid = mark == digest(query) and isinstance(page, int) and isinstance(offset, int)
        except (ValueError, TypeError, binascii.Error, RecursionError):
            valid, page, offset = False, 1, 0
        if not valid or page < 1 or offset < 0:
            text = (
                "Nothing was sent to Chatwoot. `cursor` belongs to another query: repeat the arguments of the call "
                "that gave it, or leave it out to start over."
            )
            raise ToolFailure("invalid_arguments", text, field="cursor")
        return cls(page, offset)

    def cursor(self, query: Any) -> str:
        """The cursor that points here, for the same query."""
        packed = json.dumps([digest(query), self.page, self.offset], separators=(",", ":"))
        return base64.urlsafe_b64encode(packed.encode()).decode()
