"""How a conversation of ours is known again, and what was saved of a contact.

Chatwoot has no idempotency keys. So each create carries a stamp in ``additional_attributes``: who asked (a digest
of the idempotency key, or a fresh id) and a digest of what was asked for. A contact gets one with each key.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from chatwoot_tools.digest import DIGITS, STAMP_KEY, digest

UNSTAMPED: Final = "idempotency_key: it works only within this server process, because CHATWOOT_MCP_STAMP is off."
MAX_STAMPS = 10
"""How many a contact keeps: Chatwoot shows them all in each answer about it."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """``id`` is the same for the same key of the ledger; ``arguments`` for the same request."""

    id: str
    arguments: str

    @classmethod
    def of(cls, key: str | None, body: Any, scope: str = "") -> Self:
        """``scope`` tells whose key it is, where several callers share a server."""
        identity = secrets.token_hex(DIGITS // 2) if key is None else digest([key, scope])
        return cls(identity, digest(body))

    def __str__(self) -> str:
        return f"{self.id}.{self.arguments}"

    def put_on(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "additional_attributes": self.beside(body.get("additional_attributes", {}))}

    def beside(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes with this stamp behind those that they hold, of which the newest stay."""
        kept = [*stamps_on(attributes), self][-MAX_STAMPS:]
        return {**attributes, STAMP_KEY: " ".join(map(str, kept))}


def stamps_on(attributes: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """The stamps that ``additional_attributes`` hold, oldest first: a conversation's one, a contact's newest."""
    value = attributes.get(STAMP_KEY)
    words = value.split() if isinstance(value, str) else []
    return tuple(Stamp(*word.split(".")) for word in words if word.count(".") == 1)


def stamp_on(attributes: Mapping[str, Any]) -> Stamp | None:
    """The stamp of a conversation."""
    return next(iter(stamps_on(attributes)), None)
