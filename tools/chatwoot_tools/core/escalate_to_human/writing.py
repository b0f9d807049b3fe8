"""The customer's message and the note: each written once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aiochatwoot.errors import ChatwootError, NotFound
from aiochatwoot.models import Message
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.escalate_to_human.model import StepName
from chatwoot_tools.core.escalate_to_human.plan import NOT_YET, SAME_ESCALATION, Found, Plan, Progress
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import changes, messages

_NOT_LOOKED_UP: Final = (
    "Not looked at, as the conversation is not shown to this bot's token: whether another process wrote the note or "
    "the message before, and whether the channel's reply window is open."
)
_MAYBE_WRITTEN: Final = (
    "not sent: the token's owner wrote this, or what may be this, within a day, and no mark tells whether an earlier "
    "call did. Read the conversation; what is missing can be sent with reply_to_conversation or add_private_note"
)


@dataclass(frozen=True, slots=True)
class _Writing:
    """A message to be written. ``second`` is the same, with a mark that says that the other one is written as well:
    a bot's token is shown the last message only."""

    step: StepName
    alone: messages.Draft
    second: messages.Draft


def _writings(plan: Plan, found: Found, ctx: Context) -> list[_Writing]:
    """The customer's message, then the note."""
    texts: list[tuple[StepName, str | None, bool]] = [
        ("message", plan.args.message, False),
        ("note", plan.args.summary, True),
    ]

    def draft(content: str, private: bool, key: str) -> messages.Draft:
        body = {"content": content, "private": private}
        return messages.Draft.of(plan.account_id, found.id, body, f"{plan.seed}:{key}", ctx)

    return [
        _Writing(step, draft(content, private, step), draft(content, private, f"{step}:second"))
        for step, content, private in texts
        if content is not None
    ]


async def write_messages(plan: Plan, found: Found, progress: Progress, ctx: Context) -> None:
    writings = _writings(plan, found, ctx)
    try:
        seen = () if found.is_new else await messages.of_the_last_day(writings[-1].alone, ctx)
        done = _done_before(writings, [each for each in seen or () if plan.counts(each)])
        unsure = {
            each.step for each in writings if await messages.may_be_unmarked(each.alone, _lately(seen), ctx)
        } - done
    except ChatwootError as error:
        for writing in writings:
            progress.failed(writing.step, error)
        return
    if seen is None:
        progress.warnings.append(_NOT_LOOKED_UP)
    newest = max((message.id for message in seen or ()), default=0)
    for writing in writings:
        if writing.step in done:
            progress.tell(writing.step, "already_done")
        elif writing.step == "message" and found.conversation is not None and found.conversation.can_reply is False:
            progress.tell(writing.step, "skipped", "the reply window is closed: only a template would be delivered")
        elif writing.step in unsure:
            progress.tell(writing.step, "unknown", _MAYBE_WRITTEN)
        elif seen is None:
            draft = replace(writing.alone, key=f"{writing.alone.key}:{plan.conversation_key}")
            await _send(writing.step, draft, True, progress, ctx)
        else:
            draft = replace(writing.second if done else writing.alone, newest=newest)
            if await _send(writing.step, draft, False, progress, ctx):
                done.add(writing.step)


def _lately(seen: tuple[Message, ...] | None) -> list[Message]:
    """With a key too, words alone tell nothing of what is older than a day."""
    now = datetime.now(UTC)
    return [each for each in seen or () if each.created_at is None or now - each.created_at < SAME_ESCALATION]


def _done_before(writings: list[_Writing], seen: list[Message]) -> set[StepName]:
    """What an earlier call of the same seed wrote, by its marks."""
    if any(writing.second.is_stamped_on(message) for writing in writings for message in seen):
        return {writing.step for writing in writings}
    return {each.step for each in writings if any(each.alone.is_stamped_on(message) for message in seen)}


async def _send(step: StepName, draft: messages.Draft, unseen: bool, progress: Progress, ctx: Context) -> bool:
    """Whether it is written. ``unseen``: no look told whether it was before: this process's memory alone does."""
    if progress.is_rehearsal:
        return await _rehearse(step, draft, unseen, progress, ctx)
    try:
        sent = await (messages.send if unseen else messages.send_new)(draft, ctx)
    except NotFound as error:
        if not progress.may_have_written:
            raise changes.no_conversation(draft.account_id, draft.conversation_id, ctx) from None
        progress.failed(step, error)
        return False
    except (ToolFailure, ChatwootError) as error:
        progress.failed(step, error)
        return False
    if sent.outcome == "already_sent":
        progress.tell(step, "already_done")
    else:
        progress.tell(step, "done", "found again after a lost answer" if sent.outcome == "recovered" else None)
    return True


async def _rehearse(step: StepName, draft: messages.Draft, unseen: bool, progress: Progress, ctx: Context) -> bool:
    if unseen and await messages.is_remembered(draft, ctx):
        progress.tell(step, "already_done")
        return True
    to = "the customer" if step == "message" else "the team"
    unless = ", unless the reply window of the new conversation is closed"
    is_unsure = step == "message" and draft.conversation_id == NOT_YET
    progress.plan(step, f"would be sent to {to}{unless if is_unsure else ''}", draft.request)
    return True
