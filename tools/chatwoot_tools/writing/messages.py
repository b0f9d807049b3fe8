"""Writing into a conversation once, and finding out what became of it when no good answer came."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError, Effect
from aiochatwoot.models import Message
from aiochatwoot.request import File, Request
from aiochatwoot.resources.conversations import read_message
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import Record, ledger_key
from chatwoot_tools.digest import STAMP_KEY
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import lost
from chatwoot_tools.writing.stamp import UNSTAMPED, Stamp

KEY_LIFE: Final = timedelta(days=1)
"""How far back a key is looked for that another process, or this one before a restart, may have used."""
PAGES: Final = 10
"""And so many pages at most."""
PER_PAGE: Final = 20

Outcome = Literal["sent", "already_sent", "recovered"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is wanted. ``key`` is the ledger's, None where there is none; ``stamp`` is None where stamps are
    off; ``arguments`` is a digest of it without.

    ``newest`` is the id of the newest message before it, where that is known: what is ours has a higher one.
    """

    account_id: int
    conversation_id: int
    body: dict[str, Any]
    key: str | None
    stamp: Stamp | None
    arguments: str
    files: tuple[File, ...] = ()
    newest: int | None = None

    @classmethod
    def of(
        cls,
        account_id: int,
        conversation_id: int,
        body: dict[str, Any],
        key: str | None,
        ctx: Context,
        files: tuple[File, ...] = (),
        newest: int | None = None,
    ) -> Draft:
        described = [body, *([file.name, _digest(file)] for file in files)] if files else body
        stamp = Stamp.of(key, described, ctx.scope)
        if not ctx.policy.stamp:
            return cls(account_id, conversation_id, body, key, None, stamp.arguments, files, newest)
        stamped = {**body, "content_attributes": {STAMP_KEY: str(stamp)}}
        return cls(account_id, conversation_id, stamped, key, stamp, stamp.arguments, files, newest)

    @property
    def request(self) -> Request:
        return writes.create_message(self.account_id, self.conversation_id, self.body, self.files)

    def is_on(self, message: Message) -> bool:
        """Whether the message is this one, by its mark."""
        return self.stamp is not None and _stamp_of(message) == str(self.stamp)

    def is_stamped_on(self, message: Message) -> bool:
        """Whether its key is: another process may have used it with other arguments."""
        return self.stamp is not None and _stamp_of(message).startswith(f"{self.stamp.id}.")

    def reads_like(self, message: Message) -> bool:
        """The same words, to the same readers; Chatwoot may have rendered Liquid in ours."""
        return self.is_like(message) and message.content == self.body.get("content")

    def is_like(self, message: Message) -> bool:
        """Written by the team, for the same readers."""
        return (message.message_type, message.private) == (1, self.body.get("private", False))


@dataclass(frozen=True, slots=True)
class Sent:
    """``message`` is None where it was sent before, and this token is not shown it any more."""

    message: Message | None
    outcome: Outcome
    warnings: tuple[str, ...] = ()


async def send(draft: Draft, ctx: Context) -> Sent:
    """Send a message, unless its key was used before. Raises ToolFailure and ChatwootError.

    ToolFailure ``chatwoot_error`` when a look shows that nothing was sent, ``outcome_unknown`` when it cannot tell.
    """
    if draft.key is None:
        return await send_new(draft, ctx)
    warnings: list[str] = []
    async with ctx.holding(draft.key):
        if earlier := await _earlier(draft, draft.key, ctx, warnings):
            return earlier
        sent = await send_and_remember(draft, draft.key, ctx)
        if sent.message is not None:
            warnings += await survey(sent.message, ctx, draft)
        return replace(sent, warnings=tuple(warnings))


async def send_and_remember(draft: Draft, key: str, ctx: Context) -> Sent:
    """Send a message whose key is known to be new, and is held; also a doubt is remembered. Raises as ``send`` does."""
    try:
        sent = await send_new(draft, ctx)
    except ToolFailure as failure:
        if failure.code == "outcome_unknown":
            await ctx.ledger.put(_doubt_key(draft, key), Record(draft.arguments, 0))
        raise
    if sent.message is not None:
        await ctx.ledger.put(key, Record(draft.arguments, sent.message.id))
    return sent


async def sent_before(draft: Draft, ctx: Context, warnings: list[str]) -> Sent | None:
    """What the draft's key sent before, if anything. Raises ToolFailure ``idempotency_conflict``, and ChatwootError."""
    if draft.key is None:
        return None
    async with ctx.holding(draft.key):
        return await _earlier(draft, draft.key, ctx, warnings)


def key_of(account_id: int, conversation_id: int, idempotency_key: str | None) -> str | None:
    """The ledger's key of a message that a caller gave one."""
    return None if idempotency_key is None else ledger_key("message", account_id, conversation_id, idempotency_key)


def _doubt_key(draft: Draft, key: str) -> str:
    """Under which it is remembered that nobody could tell whether it was sent."""
    return ledger_key("doubt", draft.account_id, key)


async def _earlier(draft: Draft, key: str, ctx: Context, warnings: list[str]) -> Sent | None:
    if record := await ctx.ledger.get(key):
        lost.refuse_other_arguments(record.arguments, draft.arguments)
        return Sent(await _of_id(record.id, draft, ctx), "already_sent")
    if found := await find_marked(draft, ctx, warnings):
        lost.refuse_other_arguments(arguments_on(found), draft.arguments)
        return Sent(found, "already_sent")
    return None


async def is_remembered(draft: Draft, key: str, ctx: Context) -> bool:
    """Whether a call of this process sent it, as far as its ledger tells. Raises ``idempotency_conflict``."""
    record = await ctx.ledger.get(key)
    if record is not None:
        lost.refuse_other_arguments(record.arguments, draft.arguments)
    return record is not None


async def may_have_been_sent(draft: Draft, key: str, ctx: Context) -> bool:
    """Whether a call of this process tried to send it, and nobody could tell what became of that."""
    return await ctx.ledger.get(_doubt_key(draft, key)) is not None


async def _of_id(message_id: int, draft: Draft, ctx: Context) -> Message | None:
    """A message that this process sent. Chatwoot has no way to ask for one, but for those before an id."""
    try:
        before = message_id + 1
        newest = await ctx.client.conversations.messages(draft.account_id, draft.conversation_id, before)
    except errors.BotEndpointClosed:
        newest = await newest_shown(draft, ctx) or ()
    return next((message for message in newest if message.id == message_id), None)


async def find_marked(draft: Draft, ctx: Context, warnings: list[str]) -> Message | None:
    """The message that the same key sent within the last day, by its mark; where stamps are off there is none."""
    if draft.stamp is None:
        return None
    looked = 0
    async for page in _pages(draft, ctx):
        looked += len(page)
        if found := [message for message in page if draft.is_stamped_on(message)]:
            return found[-1]
        if looked >= PAGES * PER_PAGE:
            warnings.append(_looked_through(looked))
    return None


def _looked_through(looked: int) -> str:
    return (
        f"idempotency_key: only the newest {looked} messages were looked through for an earlier call of another "
        "process."
    )


async def of_the_last_day(draft: Draft, ctx: Context, warnings: list[str]) -> tuple[Message, ...] | None:
    """What was written lately, at least the newest 20; None where a bot's token is shown nothing.

    ``warnings`` say so where there may be more of the day than is looked through.
    """
    newest = await newest_shown(draft, ctx)
    if newest is None:
        return None
    seen = tuple([message async for page in _pages(draft, ctx, newest) for message in page])
    if len(seen) >= PAGES * PER_PAGE:
        warnings.append(_looked_through(len(seen)))
    return seen


async def _pages(
    draft: Draft, ctx: Context, page: tuple[Message, ...] | None = None
) -> AsyncGenerator[tuple[Message, ...]]:
    """From the newest back, until a page is older than a day. ``page``: the newest, where they are at hand."""
    before: int | None = None
    for _ in range(PAGES):
        page = page if page is not None else await newest_shown(draft, ctx, before) or ()
        _learn_marks(page, ctx)
        yield page
        oldest = page[0] if page else None
        if oldest is None or oldest.id == before or oldest.created_at is None:
            return
        if datetime.now(UTC) - oldest.created_at > KEY_LIFE or await _is_bot(draft, ctx):
            return
        before, page = oldest.id, None


def _learn_marks(messages: Iterable[Message], ctx: Context) -> None:
    if any(STAMP_KEY in message.content_attributes for message in messages):
        ctx.marks.kept = True


async def _is_bot(draft: Draft, ctx: Context) -> bool:
    return await ctx.directory.role(draft.account_id) == "bot"


async def survey(mine: Message, ctx: Context, draft: Draft, *alike: Draft) -> list[str]:
    """Whether another process used the same key at the same moment: at least one of the two sees the other's.

    ``alike``: other marks under which the other one may have sent it.
    """
    if draft.stamp is None:
        return [UNSTAMPED]
    if STAMP_KEY not in mine.content_attributes:
        return [
            "idempotency_key: it works only within this server process, because this Chatwoot drops marks on messages."
        ]
    try:
        if await _is_bot(draft, ctx):
            text = "idempotency_key: a bot's token is shown the last message at most, so another process may repeat it."
            return [text]
        newest = await newest_messages(draft, ctx)
    except ChatwootError:
        return ["idempotency_key: whether another process sent the same at the same moment could not be looked up."]
    return [
        _raced(message, is_same=any(each.is_on(message) for each in (draft, *alike)))
        for message in newest
        if message.id != mine.id and any(each.is_stamped_on(message) for each in (draft, *alike))
    ]


def _raced(other: Message, *, is_same: bool) -> str:
    if is_same:
        return f"Another process used this idempotency_key at the same moment: message {other.id} says the same."
    return (
        "Another process used this idempotency_key with other arguments at the same moment: message "
        f"{other.id} is there as well. Give each message a key of its own."
    )


async def newest_messages(draft: Draft, ctx: Context, before: int | None = None) -> tuple[Message, ...]:
    """The newest 20. A bot's token may not list them, but the conversation shows its last one."""
    conversations = ctx.client.conversations
    try:
        return await conversations.messages(draft.account_id, draft.conversation_id, before)
    except errors.BotEndpointClosed:
        last = (await conversations.show(draft.account_id, draft.conversation_id)).last_non_activity_message
        return (last,) if last else ()


async def newest_shown(draft: Draft, ctx: Context, before: int | None = None) -> tuple[Message, ...] | None:
    """As ``newest_messages``; None where a bot's token is shown none: before 4.15, and where there is a team (500)."""
    try:
        return await newest_messages(draft, ctx, before)
    except errors.BotEndpointClosed:
        return None
    except errors.ServerError:
        if not await _is_bot(draft, ctx):
            raise
        return None


async def send_new(draft: Draft, ctx: Context) -> Sent:
    """Send a message whose key is known to be new; a lost answer is looked for. Raises as ``send`` does."""
    if draft.newest is None and (draft.stamp is None or ctx.marks.kept is False):
        shown = await newest_shown(draft, ctx)
        draft = replace(draft, newest=None if shown is None else max((each.id for each in shown), default=0))
    try:
        with lost.time_to_look(ctx):
            message = read_message(await ctx.client.perform(draft.request), draft.conversation_id)
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise
        return await _recover(draft, failure, ctx)
    if draft.stamp is not None:
        ctx.marks.kept = STAMP_KEY in message.content_attributes
    return Sent(message, "sent")


async def _recover(draft: Draft, failure: ChatwootError, ctx: Context) -> Sent:
    try:
        found = await lost.find_effect(lambda: _ours(draft, ctx), failure, ctx)
    except lost.Undecided:
        text = (
            "Chatwoot gave no usable answer, and whether the message was sent is not known. Do not simply call again: "
            f"first read conversation {draft.conversation_id}."
        )
        raise lost.outcome_unknown(failure, text, keyed=await _key_finds_it(draft, ctx)) from None
    if found is not None:
        return Sent(found, "recovered")
    text = "Chatwoot failed while taking the message; a look showed that nothing was sent. Try again."
    raise lost.nothing_done(failure, text)


async def _ours(draft: Draft, ctx: Context) -> Message | None:
    """Our message among the newest, None where it surely is not there. Raises ChatwootError and Undecided."""
    page = await newest_shown(draft, ctx)
    if page is None:
        raise lost.Undecided
    _learn_marks(page, ctx)
    if stamped := [message for message in page if draft.is_on(message)]:
        return stamped[-1]
    newer = [message for message in page if draft.newest is None or message.id > draft.newest]
    if (draft.stamp is None or not ctx.marks.kept) and (found := await _by_its_words(draft, newer, ctx)):
        return found
    if len(page) == 1 and newer and await _is_bot(draft, ctx):
        raise lost.Undecided  # a bot's token sees the last message alone, and ours may stand before it
    return None


async def _by_its_words(draft: Draft, newer: list[Message], ctx: Context) -> Message | None:
    """Where no mark tells: what the token's owner wrote since, if it reads as ours does. Raises as ``_ours`` does.

    Of several nobody can tell which is ours, nor of another text whether Chatwoot made it of ours, nor whether the same
    text is ours where marks may be kept, or where it is not known what was there before.
    """
    possible = await _of_owner(draft, newer, ctx)
    if draft.newest is None:
        possible = [message for message in possible if _may_read_like(draft, message)]
    is_told_apart = draft.newest is not None and (draft.stamp is None or ctx.marks.kept is False)
    match possible:
        case []:
            return None
        case [only] if is_told_apart and only.sender is not None and draft.reads_like(only):
            return only
        case _:
            raise lost.Undecided


async def of_answer(draft: Draft, shown: Iterable[Message], ctx: Context) -> Message | None:
    """Where no mark tells: which message of the answer to our own write it made. Raises ChatwootError.

    What is shown is the last of them at most, so that an earlier one of the same words is not among them.
    """
    if draft.stamp is not None and ctx.marks.kept:
        return None
    possible = [each for each in await _of_owner(draft, shown, ctx) if _may_read_like(draft, each)]
    return next((each for each in possible if each.sender is not None), None)


def reads_otherwise(message: Message) -> str:
    """Why what was written before has another text now: nobody has seen what came between."""
    if message.content_attributes.get("deleted"):
        return "It was deleted since."
    return "It reads so now: Chatwoot changed it, usually as it renders Liquid, or somebody has changed it since."


async def _of_owner(draft: Draft, messages: Iterable[Message], ctx: Context) -> list[Message]:
    """Those without a mark that the token's owner may have written, to the same readers."""
    candidates = [each for each in messages if draft.is_like(each) and STAMP_KEY not in each.content_attributes]
    if not candidates:
        return []
    kind, owner = ("agent_bot", None) if await _is_bot(draft, ctx) else ("user", (await ctx.directory.profile()).id)
    senders = [(each, each.sender) for each in candidates]
    return [each for each, by in senders if by is None or (by.type == kind and owner in (None, by.id))]


async def may_be_unmarked(draft: Draft, seen: Iterable[Message], ctx: Context) -> bool:
    """Whether one of the messages may be ours although it carries no mark: nobody can tell then."""
    if draft.stamp is not None and ctx.marks.kept:
        return False
    possible = await _of_owner(draft, seen, ctx)
    return any(_may_read_like(draft, message) for message in possible)


async def _key_finds_it(draft: Draft, ctx: Context) -> bool:
    """Whether the same key again surely finds what this call may have sent."""
    try:
        return draft.key is not None and ctx.marks.kept is True and not await _is_bot(draft, ctx)
    except ChatwootError:
        return False


def _digest(file: File) -> str:
    return hashlib.sha256(file.content).hexdigest()


def _may_read_like(draft: Draft, message: Message) -> bool:
    """Also where Chatwoot may have rendered Liquid in ours, or written the text of a template."""
    content = draft.body.get("content")
    return content is None or "{" in str(content) or message.content == content


def arguments_on(message: Message) -> str:
    """The digest of the arguments in a message's mark."""
    return _stamp_of(message).rpartition(".")[2]


def _stamp_of(message: Message) -> str:
    return str(message.content_attributes.get(STAMP_KEY, ""))
