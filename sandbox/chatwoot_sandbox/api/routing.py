"""What a route of the API is."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from chatwoot_sandbox.call import Call


class Empty:
    """An answer without a body, which still says that it is JSON."""


class Callers(Enum):
    """Whose tokens may call a route."""

    PEOPLE = "agents and administrators"
    BOTS_TOO = "people and agent bots"


Endpoint = Callable[[Call], Any]
"""A plain function. Returns data for JSON (answered with 200) or an Empty, or raises a Refusal."""


class Route(NamedTuple):
    """``path`` is the one below the account, its placeholders in braces."""

    method: str
    path: str
    endpoint: Endpoint
    callers: Callers = Callers.PEOPLE
