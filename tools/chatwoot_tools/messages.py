"""Writing into a conversation once, and finding out what became of it when no good answer came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError, Effect
from aiochatwoot.models import Message
from aiochatwoot.request import File, Request
from aiochatwoot.resources.conversations import read_message
from chatwoot_tools import lost
from chatwoot_tools.context import Context
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.ledger import Record
from chatwoot_tools.stamp import Stamp
from chatwoot_tools.views import STAMP_KEY

WINDOW_S: Final = 120.0
"""How old a message of the same words may be, by our clock, to be taken for the one whose answer was lost."""

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
        stamp = Stamp.of(account_id, None if key is None else f"message:{conversation_id}:{key}", described)
        if not ctx.policy.stamp:
            return cls(account_id, conversation_id, body, key, None, stamp.arguments, files)
        stamped = {**body, "content_attributes": {STAMP_KEY: str(stamp)}}
        return cls(account_id, conversation_id, stamped, key, stamp, stamp.arguments, files)

    @property
    def request(self) -> Request:
        return writes.create_message(self.account_id, self.conversation_id, self.body, self.files)

    def is_stamped_on(self, message: Message) -> bool:
        return self.stamp is not None and str(message.content_attributes.get(STAMP_KEY, "")).startswith(
            f"{self.stamp.id}."
        )

    def reads_like(self, message: Message) -> bool:
        """The same words by somebody of the team; Chatwoot may have rendered Liquid in ours."""
        same = (message.content, message.private) == (self.body.get("content"), self.body.get("private", False))
        return same and message.message_type == 1


@dataclass(frozen=True, slots=True)
class Sent:
    message: Message
    outcome: Outcome


async def send(draft: Draft, ctx: Context) -> Sent:
    """Send a message, unless its key was used before. Raises ToolFailure and ChatwootError.

    ToolFailure ``chatwoot_error`` when a look shows that nothing was sent, ``outcome_unknown`` when it cannot tell.
    """
    key = None if draft.key is None else f"{draft.account_id}:message:{draft.conversation_id}:{draft.key}"
    async with ctx.ledger.holding(key):
        if key is not None and (earlier := await _find_by_key(draft, key, ctx)):
            return Sent(earlier, "already_sent")
        sent = await send_new(draft, ctx)
        if key is not None:
            ctx.ledger.put(key, Record(draft.arguments, sent.message.id))
    return sent


async def _find_by_key(draft: Draft, key: str, ctx: Context) -> Message | None:
    """The message that the same key sent before, among the newest. Raises ToolFailure ``idempotency_conflict``."""
    record = ctx.ledger.get(key)
    newest = await newest_messages(draft, ctx)
    for message in newest:
        if draft.is_stamped_on(message) or (record is not None and record.id == message.id):
            stamped = str(message.content_attributes.get(STAMP_KEY, "")).rpartition(".")[2]
            lost.refuse_other_arguments(record.arguments if record else stamped, draft.arguments)
            return message
    return None


async def newest_messages(draft: Draft, ctx: Context) -> tuple[Message, ...]:
    """The newest 20. A bot's token may not list them, but the conversation shows its last one."""
    conversations = ctx.client.conversations
    try:
        return await conversations.messages(draft.account_id, draft.conversation_id)
    except errors.BotEndpointClosed:
        last = (await conversations.show(draft.account_id, draft.conversation_id)).last_non_activity_message
        return (last,) if last else ()


async def send_new(draft: Draft, ctx: Context) -> Sent:
    """Send a message whose key is known to be new; a lost answer is looked for. Raises as ``send`` does."""
    started_at = time.time()
    try:
        with lost.time_to_look(ctx):
            return Sent(read_message(await ctx.client.perform(draft.request)), "sent")
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise
        return await _recover(draft, failure, started_at, ctx)


async def _recover(draft: Draft, failure: ChatwootError, started_at: float, ctx: Context) -> Sent:
    try:
        async for _ in lost.looks(failure, ctx):
            for message in reversed(await newest_messages(draft, ctx)):
                recent = message.created_at and message.created_at.timestamp() >= started_at - WINDOW_S
                unmarked = STAMP_KEY not in message.content_attributes
                if draft.is_stamped_on(message) or (recent and unmarked and draft.reads_like(message)):
                    return Sent(message, "recovered")
    except ChatwootError:
        raise _unknown(draft, failure) from None
    if failure.effect is Effect.RUNNING:
        raise _unknown(draft, failure)
    text = "Chatwoot failed while taking the message; a look showed that nothing was sent. Try again."
    raise lost.nothing_done(failure, text)


def _unknown(draft: Draft, failure: ChatwootError) -> ToolFailure:
    text = (
        "Chatwoot gave no usable answer, and whether the message was sent is not known. Do not simply call again: "
        f"first read conversation {draft.conversation_id}."
    )
    return lost.outcome_unknown(failure, text, keyed=draft.key is not None and draft.stamp is not None)
