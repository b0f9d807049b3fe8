"""Which message of a conversation is the first one that was asked for. Others may have written since."""

from __future__ import annotations

from collections.abc import Sequence

from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Message
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import messages
from chatwoot_tools.writing.opening.once import Attempt, Sent, is_stamped


async def first_message(attempt: Attempt, sent: Sent, ctx: Context, *, as_answered: bool) -> Message | None:
    """The one that carries our stamp, or is told apart as ours; None where none is. ``as_answered``: Chatwoot gave the
    conversation as the answer to this call's own create.

    A conversation shows its last message alone; where that is not ours, the newest ones are looked at.
    """
    if attempt.wanted.message is None:
        return None
    draft, shown = attempt.first_message_in(sent.conversation.id), _shown(sent.conversation)
    try:
        if found := _marked(draft, shown):
            return found
        if as_answered and (found := await messages.of_answer(draft, shown, ctx)):
            return found
        seen = await messages.of_the_last_day(draft, ctx, []) or ()
    except (ChatwootError, ToolFailure):
        return None
    return _marked(draft, seen) or (_oldest(draft, seen) if is_stamped(sent.conversation, attempt) else None)


def _shown(conversation: Conversation) -> list[Message]:
    """The last message, and the last one that is no line of activity, which a fast job may have written already."""
    last = conversation.last_non_activity_message
    return [*reversed(conversation.messages), *([last] if last else [])]


def _marked(draft: messages.Draft, seen: Sequence[Message]) -> Message | None:
    return next((message for message in seen if draft.is_on(message)), None)


def _oldest(draft: messages.Draft, seen: Sequence[Message]) -> Message | None:
    """In a conversation that was made with it nobody wrote before; unless not all that was written is seen."""
    oldest = min((each for each in seen if draft.is_like(each)), key=lambda each: each.id, default=None)
    return oldest if len(seen) < messages.PER_PAGE else None
