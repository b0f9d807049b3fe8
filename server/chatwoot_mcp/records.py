"""What became of a call, for whoever keeps account of it: logs, audit, metrics. Never an argument, never a text."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from chatwoot_mcp.offers import AnyTool
from chatwoot_tools import Context, ToolFailure

TELL_EVERY_S: Final = 60.0
"""Of one kind of refusal of one caller a line is logged this often; the next one says how many there were between."""
MOST_KINDS: Final = 1_000

_calls = logging.getLogger("chatwoot_mcp.calls")
_audit = logging.getLogger("chatwoot_mcp.audit")
_refusals = logging.getLogger("chatwoot_mcp.refusals")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """``answers`` is what each request to Chatwoot met with: a status, or the class of an error. ``id`` is the request
    id that Chatwoot was sent. ``caller`` is None where there is only one. ``partial``: it failed, and had done a
    part before."""

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
    partial: bool = False


Observer = Callable[[CallRecord], None]


@dataclass(slots=True)
class Ending:
    """How a call ended, as far as it is known; one that tells nothing of its end was cancelled.

    ``about`` is where it may be found which conversation it was about: its arguments, and the result beside them.
    """

    about: dict[str, Any]
    outcome: str = "cancelled"
    partial: bool = False

    def succeeded(self, structured: dict[str, Any]) -> None:
        self.about |= structured
        self.outcome = str(structured.get("outcome", "ok"))

    def failed(self, failure: ToolFailure) -> None:
        self.outcome, self.partial = failure.code, failure.partial


@contextmanager
def observed(
    tool: AnyTool, arguments: dict[str, Any], context: Context, caller: str | None, observers: Iterable[Observer]
) -> Generator[Ending]:
    """A call goes on inside; when it is over, the observers are told how it ended."""
    began = time.perf_counter()
    ending = Ending({**arguments})
    try:
        yield ending
    finally:
        record = _record(tool, context, caller, (time.perf_counter() - began) * 1000, ending)
        for observe in observers:
            observe(record)


def _record(tool: AnyTool, context: Context, caller: str | None, ms: float, ending: Ending) -> CallRecord:
    account_id, conversation_id = _place(ending.about)
    return CallRecord(
        tool=tool.name,
        outcome=ending.outcome,
        ms=round(ms, 1),
        requests=context.budget.requests,
        answers=tuple(context.budget.answers),
        id=context.budget.id,
        caller=caller,
        cancelled=context.budget.is_withdrawn,
        is_write=not tool.read_only,
        account_id=account_id or context.policy.default_account,
        conversation_id=conversation_id,
        partial=ending.partial,
    )


def _place(about: dict[str, Any]) -> tuple[int | None, int | None]:
    """Account and conversation: those of a conversation in the result, else those that were given."""
    given: Any = about.get("conversation")
    shown = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    account_id = shown.get("account_id", about.get("account_id"))
    return _id(account_id), _id(shown.get("id", about.get("conversation_id")))


def _id(value: Any) -> int | None:
    """An id as it came, and nothing else that a caller may have put in its place."""
    if isinstance(value, int):
        return int(value)
    is_number = isinstance(value, str) and value.isdecimal() and len(value) < 19
    return int(value) if is_number else None


class Refusals:
    """Whom and what the server refused: a line of the log, not one for each, and ``count`` for each.

    Kinds and reasons are ours; nothing that a caller made up is shown.
    """

    def __init__(
        self, count: Callable[[str], None] = lambda _: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._told: OrderedDict[tuple[str, str, str | None], tuple[float, int]] = OrderedDict()

    def tell(self, kind: str, why: str, caller: str | None = None) -> None:
        self._count(kind)
        key, now = (kind, why, caller), self._clock()
        told_at, untold = self._told.pop(key, (float("-inf"), 0))
        if now - told_at < TELL_EVERY_S:
            self._told[key] = told_at, untold + 1
            return
        self._told[key] = now, 0
        if len(self._told) > MOST_KINDS:
            self._told.popitem(last=False)
        fields = {"kind": kind, "caller": caller or "-", "untold": untold, "why": why}
        line = " ".join(f"{name}={value}" for name, value in fields.items())
        _refusals.warning("refused %s", line, extra={"fields": fields})


def log_call(record: CallRecord) -> None:
    """One line for each call."""
    if not _calls.isEnabledFor(logging.INFO):
        return
    who = f" caller={record.caller}" if record.caller else ""
    late = f"{' partial=yes' if record.partial else ''}{' cancelled=yes' if record.cancelled else ''}"
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
    if record.partial:
        fields["partial"] = "yes"
    line = " ".join(f"{name}={'-' if value is None else value}" for name, value in fields.items())
    _audit.info("%s", line, extra={"fields": fields})
