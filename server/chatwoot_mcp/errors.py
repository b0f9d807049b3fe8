"""What an error of a call becomes: a failure that the model can read; of an unforeseen one also a line in the log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Generator
from types import FrameType
from typing import Final

from aiochatwoot import Budget
from aiochatwoot.errors import ChatwootError
from chatwoot_tools import ToolFailure
from chatwoot_tools.failures.diagnosis import explain

MOST_PLACES: Final = 40
"""Of an unforeseen error, in the log."""

_log = logging.getLogger("chatwoot_mcp.adapter")


def as_failure(error: Exception, budget: Budget | None = None) -> ToolFailure:
    """The failure to show for whatever a tool raised, having spent this budget."""
    if isinstance(error, ToolFailure):
        return error
    if isinstance(error, ChatwootError):
        return explain(error)
    # Classes and places only: the text of an unforeseen error may hold an argument.
    _log.error("unforeseen %s", " after ".join(_places(error)))
    unknown = ", and does not know what was done: look before calling again" if budget and budget.has_written else ""
    text = f"This server failed unexpectedly{unknown}. The operator finds the place in its log."
    return ToolFailure("internal_error", text)


def _places(error: BaseException | None) -> Generator[str]:
    """Of the error and of each that it came from: its class, and the way to it from the outermost call."""
    while error is not None:
        way = [f"{_name_of(frame)}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
        if len(way) > MOST_PLACES:  # a recursion
            way[MOST_PLACES // 2 : -MOST_PLACES // 2] = ["..."]
        yield f"{type(error).__name__} at {' > '.join(way) or 'unknown'}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name_of(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def overdue(budget: Budget) -> ToolFailure:
    """Whatever held it up: a call ends soon after its deadline."""
    if budget.has_written:
        text = "It is not known what was done when the time was up. Look before calling again."
        return ToolFailure("outcome_unknown", text)
    text = "The time was up before anything was written. Try again later."
    return ToolFailure("deadline_exceeded", text, retryable=True)
