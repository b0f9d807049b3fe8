"""Sending the create once, and finding out what became of it when no good answer came."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from aiochatwoot import writes
from aiochatwoot.errors import ChatwootError, Effect, NotFound, Rejected, ServerError, UnexpectedResponse
from aiochatwoot.models import Conversation
from aiochatwoot.request import Request
from aiochatwoot.resources.contacts import NEWEST
from aiochatwoot.resources.conversations import Created
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing import lost, messages
from chatwoot_tools.writing.opening.refusal import missing_detail
from chatwoot_tools.writing.opening.target import Target
from chatwoot_tools.writing.opening.wanted import WantedConversation
from chatwoot_tools.writing.stamp import Stamp, stamp_on

FILTER_PAGES: Final = 10
"""Pages of 25 searched for an idempotency key beyond the contact's newest 20 conversations."""
_PER_PAGE: Final = 25


@dataclass(frozen=True, slots=True)
class Attempt:
    """One conversation that is wanted.

    ``key`` is the ledger's, None where there is none. ``body`` is what is sent, with the ``stamp`` on it (None: stamps
    are off); ``arguments`` is a digest of it without.
    """

    wanted: WantedConversation
    target: Target
    key: str | None
    body: dict[str, Any]
    stamp: Stamp | None
    arguments: str

    @property
    def request(self) -> Request:
        return writes.create_conversation(self.target.account_id, self.body)

    def first_message_in(self, conversation_id: int) -> messages.Draft:
        """The first message, as one of that conversation."""
        message = self.wanted.message
        body = {"content": message.content, "private": message.private} if message else {}
        return messages.Draft(self.target.account_id, conversation_id, body, self.key, self.stamp, self.arguments)


@dataclass(frozen=True, slots=True)
class Sent:
    """A conversation that exists, and how we know of it."""

    conversation: Conversation
    recovered: bool = False
    reused: bool = False


async def send_once(attempt: Attempt, ctx: Context) -> Sent:
    """Create, or find what a create with a lost answer made.

    Raises ChatwootError when surely nothing was done; ToolFailure ``chatwoot_error`` when a look shows that nothing
    was, ``outcome_unknown`` when it cannot tell.
    """
    there_before = await _there_before(attempt, ctx)
    began = time.monotonic()
    try:
        with lost.time_to_look(ctx):
            created = await ctx.client.conversations.create(attempt.target.account_id, attempt.body)
        await _check_answer(created.conversation, attempt, ctx)
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise
        return await _recover(attempt, failure, ctx)
    is_older = _is_older(created, attempt, took_s=time.monotonic() - began)
    return Sent(created.conversation, reused=is_older or created.conversation.id in there_before)


async def _there_before(attempt: Attempt, ctx: Context) -> frozenset[int]:
    """In a locked inbox without stamps: the contact's newest conversations, one of which Chatwoot may give back.

    Those made in the last seconds are not told from new ones by any clock.
    """
    if attempt.stamp is not None or not attempt.target.locked:
        return frozenset()
    try:
        return frozenset(each.id for each in await _of_contact(attempt, ctx))
    except NotFound:
        return frozenset()  # no such contact: the create itself will say so


async def find_by_key(attempt: Attempt, ctx: Context, warnings: list[str]) -> Conversation | None:
    """The conversation that an earlier call with the same idempotency key made: newest first, then by filter."""
    newest = await _of_contact(attempt, ctx)
    found = _stamped(newest, attempt)
    if found is None and len(newest) >= NEWEST and attempt.stamp is not None:
        found = await _among_older(attempt, ctx, warnings)
    return found or await _keyed_in_locked(attempt, newest, ctx, warnings)


async def _among_older(attempt: Attempt, ctx: Context, warnings: list[str]) -> Conversation | None:
    looked = NEWEST
    for page in range(1, FILTER_PAGES + 1):
        try:
            older = await ctx.client.conversations.of_contact(
                attempt.target.account_id, attempt.target.contact_id, page
            )
        except Rejected as refusal:
            if not refusal.is_of_key("contact_id"):
                raise
            break  # before 4.15 there is no way to them
        if (found := _stamped(older, attempt)) or not older:
            return found
        looked = page * _PER_PAGE
    warnings.append(
        f"idempotency_key: only the contact's {looked} most recently active conversations were looked through for an "
        "earlier call of another process."
    )
    return None


async def _check_answer(conversation: Conversation, attempt: Attempt, ctx: Context) -> None:
    """A well-shaped answer about something else is no answer: a proxy that mixes answers up."""
    target, sender = attempt.target, conversation.meta.sender
    about = (conversation.account_id, conversation.inbox_id, sender.id if sender else target.contact_id)
    if about != (target.account_id, target.inbox_id, target.contact_id):
        raise UnexpectedResponse("the answer is about something else", http_status=200)
    if is_stamped(conversation, attempt) is False and target.inbox is not None:
        # Only a locked inbox gives older ones back.
        try:
            now = await _seen_anew(target, ctx)
        except ChatwootError:
            now = target
        if not now.locked:
            raise UnexpectedResponse("the answer is about another conversation", http_status=200)


async def _seen_anew(target: Target, ctx: Context) -> Target:
    """With the inbox as it is now, where it was not locked: what the directory keeps may be a minute old."""
    if target.inbox is None or target.locked:
        return target
    now = await ctx.directory.inboxes(target.account_id, refresh=True)
    return replace(target, inbox=next((inbox for inbox in now if inbox.id == target.inbox_id), None))


def _is_older(created: Created, attempt: Attempt, took_s: float) -> bool:
    """Whether the inbox gave back an older conversation: it lacks our stamp, or is older than the request."""
    stamped = is_stamped(created.conversation, attempt)
    if stamped is not None:
        return not stamped
    made_at, answered_at = created.conversation.created_at, created.answered_at
    if made_at is None or answered_at is None:
        return False
    return made_at < answered_at - timedelta(seconds=took_s + 2)  # both clocks are Chatwoot's, in whole seconds


async def find_rival(attempt: Attempt, mine: Conversation, ctx: Context) -> Conversation | None:
    """What another process opened with the same idempotency key at the same moment: it saw nothing of ours before,
    and we saw nothing of its. Now at least one of the two sees the other's."""
    for conversation in await _of_contact(attempt, ctx):
        if conversation.id != mine.id and is_stamped(conversation, attempt):
            return conversation
    return None


async def _recover(attempt: Attempt, failure: ChatwootError, ctx: Context) -> Sent:
    async def find() -> Sent | None:
        newest = await _of_contact(attempt, ctx)
        if found := _stamped(tuple(each for each in newest if is_ours(each, attempt)), attempt):
            return Sent(found, recovered=True)
        now = replace(attempt, target=await _seen_anew(attempt.target, ctx))
        found = await _lost_in_locked(now, newest, ctx)
        return None if found is None else Sent(found, recovered=True, reused=True)

    try:
        sent = await lost.find_effect(find, failure, ctx)
    except lost.Undecided as undecided:
        keyed = not undecided.closed and await _key_finds_it(attempt, ctx)
        raise _unknown(attempt, failure, keyed=keyed) from None
    if sent is not None:
        return sent
    if isinstance(failure, ServerError) and (missing := await missing_detail(attempt.target, ctx)):
        missing.http_status = failure.http_status
        raise missing
    if attempt.stamp is None:
        raise _unknown(attempt, failure, keyed=False)
    text = "Chatwoot failed while creating the conversation; a look showed that nothing was created. Try again."
    raise lost.nothing_done(failure, text)


async def _key_finds_it(attempt: Attempt, ctx: Context) -> bool:
    """Whether the same key again surely finds what this call may have made."""
    if attempt.stamp is None or attempt.key is None:
        return False
    try:
        return ctx.marks.kept is True or not (await _seen_anew(attempt.target, ctx)).may_be_locked
    except ChatwootError:
        return False


def _unknown(attempt: Attempt, failure: ChatwootError, *, keyed: bool) -> ToolFailure:
    text = (
        "Chatwoot gave no usable answer, and whether the conversation was created is not known. Do not simply "
        "call again: "
        f"first look at the conversations of contact {attempt.target.contact_id} in account "
        f"{attempt.target.account_id}."
    )
    if failure.http_status == 500 and attempt.target.rules is None and attempt.target.source_id is None:
        text += " Most likely the inbox is of a channel that needs a source_id: give it."
    return lost.outcome_unknown(failure, text, keyed=keyed)


async def _of_contact(attempt: Attempt, ctx: Context) -> tuple[Conversation, ...]:
    return await ctx.client.contacts.conversations(attempt.target.account_id, attempt.target.contact_id)


def is_ours(conversation: Conversation, attempt: Attempt) -> bool:
    """Whether it carries this attempt's stamp, of the same arguments too: another process may have used the key."""
    return attempt.stamp is not None and stamp_on(conversation.additional_attributes) == attempt.stamp


def is_stamped(conversation: Conversation, attempt: Attempt) -> bool | None:
    """Whether it carries the stamp of this attempt's key; None where stamps are off."""
    if attempt.stamp is None:
        return None
    found = stamp_on(conversation.additional_attributes)
    return found is not None and found.id == attempt.stamp.id


def _stamped(conversations: tuple[Conversation, ...], attempt: Attempt) -> Conversation | None:
    """The first of those that two racing processes may have made counts."""
    found = [conversation for conversation in conversations if is_stamped(conversation, attempt)]
    return min(found, key=lambda each: each.id) if found else None


def _in_locked(attempt: Attempt, conversations: tuple[Conversation, ...]) -> list[Conversation]:
    """Those that a locked inbox may have given back: it keeps one for each identity of the contact.

    Chatwoot drops our stamp on such a one; the first message carries it as well.
    """
    target = attempt.target
    is_random = target.source_id is None and target.rules is not None and target.rules.minted_from == "nothing"
    if not target.may_be_locked or attempt.wanted.message is None or is_random:
        return []
    return [
        each
        for each in conversations
        if each.inbox_id == target.inbox_id and (target.source_id is None or each.source_id in (None, target.source_id))
    ]


async def _keyed_in_locked(
    attempt: Attempt, newest: tuple[Conversation, ...], ctx: Context, warnings: list[str]
) -> Conversation | None:
    """The one into which the same key wrote before. Raises ToolFailure ``idempotency_conflict``."""
    for conversation in _in_locked(attempt, newest):
        if found := await messages.find_marked(attempt.first_message_in(conversation.id), ctx, warnings):
            lost.refuse_other_arguments(messages.arguments_on(found), attempt.arguments)
            return conversation
    return None


async def _lost_in_locked(attempt: Attempt, newest: tuple[Conversation, ...], ctx: Context) -> Conversation | None:
    """The one into which the message went whose answer was lost. Raises lost.Undecided where no mark may tell."""
    is_sure = True
    for conversation in _in_locked(attempt, newest):
        draft = attempt.first_message_in(conversation.id)
        seen = await messages.newest_messages(draft, ctx)
        if any(draft.is_on(message) for message in seen):
            return conversation
        is_sure = is_sure and not await messages.may_be_unmarked(draft, seen, ctx)
    if not is_sure:
        raise lost.Undecided
    return None
