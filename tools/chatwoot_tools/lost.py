"""After a write whose answer was lost: how often to look for its effect, and what to say then."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import Final

from aiochatwoot.errors import ChatwootError, Effect
from chatwoot_tools.context import Context
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure

SETTLE_S: Final = 2.0
"""After a lost connection Chatwoot may still be committing: so long is waited before the second look."""
KEEP_BACK_S: Final = 10.0


def time_to_look(ctx: Context) -> AbstractContextManager[None]:
    """While inside, time is left over so that a lost answer can be looked for."""
    return ctx.budget.keeping_back(min(KEEP_BACK_S, ctx.policy.deadline_s / 4))


async def looks(failure: ChatwootError, ctx: Context) -> AsyncGenerator[None]:
    """One turn for each look that is worth it."""
    yield
    if failure.effect is Effect.CUT:
        await ctx.sleep(SETTLE_S)
        yield


def nothing_done(failure: ChatwootError, text: str) -> ToolFailure:
    """A look showed that Chatwoot did nothing: the same call may be made again."""
    told = explain(failure)
    told.code, told.retryable, told.text = "chatwoot_error", True, text
    return told


def outcome_unknown(failure: ChatwootError, text: str, *, keyed: bool) -> ToolFailure:
    """Nobody can tell. ``keyed``: the same call with the same key finds what this one may have done."""
    if keyed:
        text += " Calling again with the same idempotency_key in a minute is safe."
    return ToolFailure("outcome_unknown", text, http_status=failure.http_status)


def refuse_other_arguments(earlier: str, now: str) -> None:
    """Raises ToolFailure ``idempotency_conflict`` where the digests of the arguments differ."""
    if earlier != now:
        text = (
            "Nothing was sent. The idempotency_key was used before with other arguments: use another key, or the "
            "same arguments."
        )
        raise ToolFailure("idempotency_conflict", text, field="idempotency_key")
