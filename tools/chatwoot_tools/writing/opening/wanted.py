"""The conversation that a caller wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from chatwoot_tools.arguments.messages import FirstMessage

_SENT: Final = (
    "source_id",
    "status",
    "assignee_id",
    "team_id",
    "additional_attributes",
    "custom_attributes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedConversation:
    """As in Chatwoot's API; None is not asked for. Of inbox and contact one may be missing, if a source id is given."""

    account_id: int | None = None
    inbox_id: int | None = None
    contact_id: int | None = None
    source_id: str | None = None
    status: str | None = None
    assignee_id: int | None = None
    team_id: int | None = None
    additional_attributes: dict[str, Any] | None = None
    custom_attributes: dict[str, Any] | None = None
    message: FirstMessage | None = None
    idempotency_key: str | None = None
    dry_run: bool = False

    def body(self, inbox_id: int, contact_id: int) -> dict[str, Any]:
        """What is sent, without marks of ours."""
        body: dict[str, Any] = {"inbox_id": inbox_id, "contact_id": contact_id}
        body |= {name: value for name in _SENT if (value := getattr(self, name)) is not None}
        if self.message is not None:
            body["message"] = self.message.model_dump(exclude_none=True)
        return body
