"""The customer's message and the note: each written once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aiochatwoot.errors import ChatwootError, NotFound
from aiochatwoot.models import Message
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import ledger_key
from chatwoot_tools.core.escalate_to_human.model import StepName
from chatwoot_tools.core.escalate_to_human.plan import NOT_YET, SAME_ESCALATION, Found, Plan, Progress
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import changes, lost, messages

_NOT_LOOKED_UP: Final = (
    "Not looked at, as the conversation is not shown to this bot's token: whether another process wrote the note or "
    "the message before, and whether the channel's reply window is open."
)
_LAST_ONE_ALONE: Final = (
    "A bot's token is shown the last message at most: whether another process wrote the note or the message before "
    "is not known."
)
_IN_DOUBT: Final = (
    "not sent again: an earlier call could not tell whether it was sent, and a bot's token is shown the last message "
    "at most. Read the conversation; send what is missing with reply_to_conversation or add_private_note"
)
_MAYBE_WRITTEN: Final = (
    "not sent: the token's owner wrote this, or what may be this, within a day, and no mark tells whether an earlier "
    "call did. Read the conversation; send what is missing with reply_to_conversation or add_private_note"
)


@dataclass(frozen=True, slots=True)
class _Writing:
    """A message to be written. ``second`` is the same, with a mark that says that the other one is written as well:
    a bot's token is shown the last message only."""

    step: StepName
    alone: messages.Draft
    second: messages.Draft


@dataclass(slots=True)
class _Sight:
    """What the conversation showed, and what came of it: ``newest`` is the id of its newest message, None where nothing
    is shown; ``done`` is what is written by now, ``otherwise`` what of it says something else under the same key,
    ``unsure`` what may be written. ``doubts`` are to be told once something is written."""

    newest: int | None
    done: set[StepName]
    otherwise: set[StepName]
    unsure: set[StepName]
    is_bot: bool
    doubts: list[str]

    @property
    def is_partial(self) -> bool:
        """Whether an earlier call's may be there all the same."""
        return self.is_bot or bool(self.doubts)


def _writings(plan: Plan, found: Found, ctx: Context) -> list[_Writing]:
    """The customer's message, then the note."""
    texts: list[tuple[StepName, str | None, bool]] = [
        ("message", plan.args.message, False),
        ("note", plan.args.summary, True),
    ]

    def draft(content: str, private: bool, *mark: str) -> messages.Draft:
        body = {"content": content, "private": private}
        return messages.Draft.of(plan.account_id, found.id, body, _key_of(plan, found, *mark), ctx)

    return [
        _Writing(step, draft(content, private, step), draft(content, private, step, "second"))
        for step, content, private in texts
        if content is not None
    ]


def _key_of(plan: Plan, found: Found, *mark: str) -> str:
    return ledger_key("step", plan.account_id, found.id, plan.seed, *mark)


async def write_messages(plan: Plan, found: Found, progress: Progress, ctx: Context) -> None:
    writings = _writings(plan, found, ctx)
    try:
        sight = await _look(writings, plan, found, ctx)
    except ChatwootError as error:
        for writing in writings:
            progress.failed(writing.step, error)
        return
    if sight.newest is None:
        progress.warnings.append(_NOT_LOOKED_UP)
    written = [writing.step for writing in writings if await _write(writing, plan, found, sight, progress, ctx)]
    if written:
        progress.warnings += sight.doubts


async def _look(writings: list[_Writing], plan: Plan, found: Found, ctx: Context) -> _Sight:
    doubts: list[str] = []
    seen = () if found.is_new else await messages.of_the_last_day(writings[-1].alone, ctx, doubts)
    counting = [each for each in seen or () if plan.counts(each)]
    done, otherwise = _done_before(writings, counting), _done_otherwise(writings, counting)
    lately = _lately(seen)
    unsure: set[StepName] = {
        each.step
        for each in writings
        if each.step not in done and await messages.may_be_unmarked(each.alone, lately, ctx)
    }
    is_bot = len(done) < len(writings) and await ctx.directory.role(plan.account_id) == "bot"
    if is_bot and seen:
        doubts.append(_LAST_ONE_ALONE)
    newest = None if seen is None else max((message.id for message in seen), default=0)
    return _Sight(newest, done, otherwise, unsure, is_bot, doubts)


async def _write(writing: _Writing, plan: Plan, found: Found, sight: _Sight, progress: Progress, ctx: Context) -> bool:
    """Make one step. Whether this call wrote it, or would."""
    step = writing.step
    draft = replace(writing.second if sight.done else writing.alone, newest=sight.newest)
    key = _key_of(plan, found, step, plan.conversation_key)
    try:
        if await _is_done(step, draft, key, plan, sight, ctx):
            sight.done.add(step)
            progress.tell(step, "already_done")
            return False
    except ToolFailure as conflict:
        progress.failed(step, conflict)
        return False
    if step == "message" and found.conversation is not None and found.conversation.can_reply is False:
        progress.tell(step, "skipped", "the reply window is closed: only a template would be delivered")
    elif step in sight.unsure:
        progress.tell(step, "unknown", _MAYBE_WRITTEN)
    elif sight.is_bot and await messages.may_have_been_sent(draft, key, ctx):
        progress.tell(step, "unknown", _IN_DOUBT)
    elif progress.is_rehearsal:
        _rehearse(step, draft, progress)
        sight.done.add(step)
        return True
    elif (sent := await _send(step, draft, key, progress, ctx)) is not None:
        sight.done.add(step)
        if sent.message is not None:
            sight.newest = sent.message.id
            if plan.args.idempotency_key and not sight.is_bot:
                progress.warnings += await messages.survey(sent.message, ctx, writing.alone, writing.second)
        return True
    return False


async def _is_done(step: StepName, draft: messages.Draft, key: str, plan: Plan, sight: _Sight, ctx: Context) -> bool:
    """Whether an earlier call made the step. Raises ToolFailure ``idempotency_conflict``."""
    if step in sight.otherwise:
        raise lost.conflict()
    if step in sight.done:
        return True
    by_memory = sight.is_partial or plan.args.idempotency_key is not None
    return by_memory and await messages.is_remembered(draft, key, ctx)


def _lately(seen: tuple[Message, ...] | None) -> list[Message]:
    """With a key too, words alone tell nothing of what is older than a day."""
    now = datetime.now(UTC)
    return [each for each in seen or () if each.created_at is None or now - each.created_at < SAME_ESCALATION]


def _done_before(writings: list[_Writing], seen: list[Message]) -> set[StepName]:
    """What an earlier call of the same seed wrote, by its marks."""
    if any(writing.second.is_stamped_on(message) for writing in writings for message in seen):
        return {writing.step for writing in writings}
    return {each.step for each in writings if any(each.alone.is_stamped_on(message) for message in seen)}


def _done_otherwise(writings: list[_Writing], seen: list[Message]) -> set[StepName]:
    """Of that, what says something else than this call is to say."""
    said: set[StepName] = set()
    marked: set[StepName] = set()
    for writing in writings:
        for draft in (writing.alone, writing.second):
            if any(draft.is_stamped_on(message) for message in seen):
                marked.add(writing.step)
            if any(draft.is_on(message) for message in seen):
                said.add(writing.step)
    return marked - said


async def _send(
    step: StepName, draft: messages.Draft, key: str, progress: Progress, ctx: Context
) -> messages.Sent | None:
    """None where it is not written, or nobody can tell."""
    try:
        sent = await messages.send_and_remember(draft, key, ctx)
    except NotFound as error:
        if not progress.may_have_written:
            raise changes.no_conversation(draft.account_id, draft.conversation_id, ctx) from None
        progress.failed(step, error)
        return None
    except (ToolFailure, ChatwootError) as error:
        progress.failed(step, error)
        return None
    progress.tell(step, "done", "found again after a lost answer" if sent.outcome == "recovered" else None)
    return sent


def _rehearse(step: StepName, draft: messages.Draft, progress: Progress) -> None:
    to = "the customer" if step == "message" else "the team"
    unless = ", unless the reply window of the new conversation is closed"
    is_unsure = step == "message" and draft.conversation_id == NOT_YET
    progress.plan(step, f"would be sent to {to}{unless if is_unsure else ''}", draft.request)
