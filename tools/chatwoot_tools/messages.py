"""Writing into a conversation once, and finding out what became of it when no good answer came."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError, Effect
from aiochatwoot.models import Message
from aiochatwoot.request import File, Request
from aiochatwoot.resources.conversations import read_message
from chatwoot_tools import lost
from chatwoot_tools.context import Context
from chatwoot_tools.ledger import Record
from chatwoot_tools.stamp import Stamp
from chatwoot_tools.views import STAMP_KEY

WINDOW_S: Final = 120.0
"""How old a message of the same words may be, by our clock, to be taken for the one whose answer was lost."""
KEY_LIFE: Final = timedelta(days=1)
"""How far back a key is looked for that another process, or this one before a restart, may have used."""
PAGES: Final = 10
"""And so many pages of 20 messages at most."""

Outcome = Literal["sent", "already_sent", "recovered"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is wanted. ``stamp`` is None where stamps are off; ``arguments`` is a digest of it without."""

    account_id: int
    conversation_id: int
    body: dict[str, Any]
    key: str | None
    stamp: Stamp | None
    arguments: str
    files: tuple[File, ...] = ()

    @classmethod
    def of(
        cls,
        account_id: int,
        conversation_id: int,
        body: dict[str, Any],
        key: str | None,
        ctx: Context,
        files: tuple[File, ...] = (),
    ) -> Draft:
        described = [body, *([file.name, len(file.content)] for file in files)] if files else body
        stamp = Stamp.of(account_id, None if key is None else f"message:{conversation_id}:{key}", described, ctx.scope)
        if not ctx.policy.stamp:
            return cls(account_id, conversation_id, body, key, None, stamp.arguments, files)
        stamped = {**body, "content_attributes": {STAMP_KEY: str(stamp)}}
        return cls(account_id, conversation_id, stamped, key, stamp, stamp.arguments, files)

    @property
    def request(self) -> Request:
        return writes.create_message(self.account_id, self.conversation_id, self.body, self.files)

    def is_stamped_on(self, message: Message) -> bool:
        return self.stamp is not None and _stamp_of(message).startswith(f"{self.stamp.id}.")

    def reads_like(self, message: Message) -> bool:
        """The same words by somebody of the team; Chatwoot may have rendered Liquid in ours."""
        same = (message.content, message.private) == (self.body.get("content"), self.body.get("private", False))
        return same and message.message_type == 1


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
    key = f"{draft.account_id}:message:{draft.conversation_id}:{draft.key}"
    async with ctx.holding(key):
        if record := await ctx.ledger.get(key):
            lost.refuse_other_arguments(record.arguments, draft.arguments)
            return Sent(await _of_id(record.id, draft, ctx), "already_sent")
        if earlier := await _of_another_process(draft, ctx):
            lost.refuse_other_arguments(_stamp_of(earlier).rpartition(".")[2], draft.arguments)
            return Sent(earlier, "already_sent")
        sent = await send_new(draft, ctx)
        if sent.message is not None:
            await ctx.ledger.put(key, Record(draft.arguments, sent.message.id))
            return replace(sent, warnings=tuple(await _survey(draft, sent.message, ctx)))
        return sent


async def _of_id(message_id: int, draft: Draft, ctx: Context) -> Message | None:
    """A message that this process sent. Chatwoot has no way to ask for one, but for those before an id."""
    try:
        before = message_id + 1
        newest = await ctx.client.conversations.messages(draft.account_id, draft.conversation_id, before)
    except errors.BotEndpointClosed:
        newest = await newest_messages(draft, ctx)
    return next((message for message in newest if message.id == message_id), None)


async def _of_another_process(draft: Draft, ctx: Context) -> Message | None:
    """The message that the same key sent within the last day, by its mark."""
    before: int | None = None
    for _ in range(PAGES):
        page = await newest_messages(draft, ctx, before)
        for message in page:
            if draft.is_stamped_on(message):
                return message
        oldest = page[0] if page else None
        if oldest is None or oldest.id == before or oldest.created_at is None:
            return None
        if datetime.now(UTC) - oldest.created_at > KEY_LIFE or await _is_bot(draft, ctx):
            return None
        before = oldest.id
    return None


async def _is_bot(draft: Draft, ctx: Context) -> bool:
    return await ctx.directory.role(draft.account_id) == "bot"


async def _survey(draft: Draft, mine: Message, ctx: Context) -> list[str]:
    """Whether another process sent the same at the same moment: of two, one at least sees the other's."""
    if draft.stamp is None:
        return ["idempotency_key: it holds within this server process alone, as CHATWOOT_MCP_STAMP is off."]
    if await _is_bot(draft, ctx):
        return ["idempotency_key: with a bot's token only the last message is seen, so others processes may repeat it."]
    try:
        newest = await newest_messages(draft, ctx)
    except ChatwootError:
        return ["idempotency_key: whether another process sent the same at the same moment could not be looked up."]
    others = [message.id for message in newest if draft.is_stamped_on(message) and message.id != mine.id]
    if not others:
        return []
    return [f"Another process sent it with this idempotency_key at the same moment: message {others[0]} says the same."]


async def newest_messages(draft: Draft, ctx: Context, before: int | None = None) -> tuple[Message, ...]:
    """The newest 20. A bot's token may not list them, but the conversation shows its last one."""
    conversations = ctx.client.conversations
    try:
        return await conversations.messages(draft.account_id, draft.conversation_id, before)
    except errors.BotEndpointClosed:
        last = (await conversations.show(draft.account_id, draft.conversation_id)).last_non_activity_message
        return (last,) if last else ()


async def send_new(draft: Draft, ctx: Context) -> Sent:
    """Send a message whose key is known to be new; a lost answer is looked for. Raises as ``send`` does."""
    started_at = time.time()
    try:
        with lost.time_to_look(ctx):
            return Sent(read_message(await ctx.client.perform(draft.request), draft.conversation_id), "sent")
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise
        return await _recover(draft, failure, started_at, ctx)


async def _recover(draft: Draft, failure: ChatwootError, started_at: float, ctx: Context) -> Sent:
    async def find() -> Message | None:
        for message in reversed(await newest_messages(draft, ctx)):
            recent = message.created_at and message.created_at.timestamp() >= started_at - WINDOW_S
            unmarked = STAMP_KEY not in message.content_attributes
            if draft.is_stamped_on(message) or (recent and unmarked and draft.reads_like(message)):
                return message
        return None

    try:
        found = await lost.find_effect(find, failure, ctx)
    except lost.Undecided:
        text = (
            "Chatwoot gave no usable answer, and whether the message was sent is not known. Do not simply call again: "
            f"first read conversation {draft.conversation_id}."
        )
        raise lost.outcome_unknown(failure, text, keyed=draft.key is not None and draft.stamp is not None) from None
    if found is not None:
        return Sent(found, "recovered")
    text = "Chatwoot failed while taking the message; a look showed that nothing was sent. Try again."
    raise lost.nothing_done(failure, text)


def _stamp_of(message: Message) -> str:
    return str(message.content_attributes.get(STAMP_KEY, ""))
