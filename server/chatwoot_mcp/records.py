"""What became of a call, for whoever keeps account of it: logs, audit, metrics. Never an argument, never a text."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_calls = logging.getLogger("chatwoot_mcp.calls")
_audit = logging.getLogger("chatwoot_mcp.audit")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """``answers`` is what each request to Chatwoot met with: a status, or the class of an error. ``id`` is the request
    id that Chatwoot was sent. ``caller`` is None where there is only one."""

    tool: str
    outcome: str
    ms: float
    requests: int
    answers: tuple[str, ...]
    id: str
    caller: str | None
    cancelled: bool
    is_write: bool
    account_id: int | None
    conversation_id: int | None


Observer = Callable[[CallRecord], None]


def log_call(record: CallRecord) -> None:
    """One line for each call."""
    if not _calls.isEnabledFor(logging.INFO):
        return
    who = f" caller={record.caller}" if record.caller else ""
    late = " cancelled=yes" if record.cancelled else ""
    _calls.info(
        "tool=%s outcome=%s ms=%.0f requests=%d answers=%s id=%s%s%s",
        record.tool,
        record.outcome,
        record.ms,
        record.requests,
        ",".join(record.answers) or "-",
        record.id,
        who,
        late,
        extra={"fields": {name: getattr(record, name) for name in CallRecord.__slots__}},
    )


def audit_call(record: CallRecord) -> None:
    """One line for each call of a tool that writes: who did what where, and what became of it."""
    if not record.is_write or not _audit.isEnabledFor(logging.INFO):
        return
    fields: dict[str, Any] = {
        "who": record.caller or "-",
        "tool": record.tool,
        "account": record.account_id,
        "conversation": record.conversation_id,
        "outcome": record.outcome,
        "id": record.id,
    }
    line = " ".join(f"{name}={'-' if value is None else value}" for name, value in fields.items())
    _audit.info("%s", line, extra={"fields": fields})
