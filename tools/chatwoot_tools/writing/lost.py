"""After a write whose answer was lost: how often to look for its effect, and what to say then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

from aiochatwoot.errors import BotEndpointClosed, ChatwootError, Effect
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain

SETTLE_S: Final = 2.0
"""After a lost connection Chatwoot may still be committing: wait this long before trusting "not found"."""
LOOKS: Final = 3
KEEP_BACK_S: Final = 10.0

T = TypeVar("T")


class Undecided(Exception):
    """No look could tell whether the write had an effect. ``closed``: nor can a later one, with a bot's token."""

    closed = False


def time_to_look(ctx: Context) -> AbstractContextManager[None]:
    """While inside, time is left over so that a lost answer can be looked for."""
    return ctx.budget.reserving(min(KEEP_BACK_S, ctx.policy.deadline_s / 4))


async def find_effect(find: Callable[[], Awaitable[T | None]], failure: ChatwootError, ctx: Context) -> T | None:
    """What a write with a lost answer made, None where it surely made nothing. Raises Undecided.

    A look that fails is made again. That nothing is there counts at once where Chatwoot was done with the request,
    two seconds later where the connection was lost, and never where it may still be at work.
    """
    for turn in range(LOOKS):
        if turn and ctx.budget.left <= SETTLE_S:
            break
        if turn:
            ctx.budget.doing = "looking for what became of a write"
            await ctx.sleep(SETTLE_S)
        try:
            found = await find()
        except BotEndpointClosed:
            undecided = Undecided()
            undecided.closed = True
            raise undecided from None
        except (ChatwootError, ToolFailure):
            continue
        if found is not None:
            return found
        if failure.effect is Effect.ENDED or (failure.effect is Effect.CUT and turn):
            return None
    raise Undecided


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
        raise conflict()


def conflict() -> ToolFailure:
    text = (
        "Nothing was sent. The idempotency_key was used before with other arguments: use another key, or the same "
        "arguments."
    )
    return ToolFailure("idempotency_conflict", text, field="idempotency_key")


@contextmanager
def remembered() -> Generator[None]:
    """Around a look at what a key is remembered to have done: memory proves nothing, and may not widen what is seen."""
    try:
        yield
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        raise out_of_sight() from None


def out_of_sight() -> ToolFailure:
    text = (
        "Nothing was sent. What this idempotency_key did before no longer exists, or may not be used here: use another "
        "key."
    )
    return ToolFailure("not_found", text, field="idempotency_key")
