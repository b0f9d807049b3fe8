"""Opening a conversation: checked, sent once, or found again by its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation
from chatwoot_tools.call.cache import unreadable
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import Record, ledger_key
from chatwoot_tools.digest import STAMP_KEY
from chatwoot_tools.writing import changes, lost, messages
from chatwoot_tools.writing.opening.checks import check
from chatwoot_tools.writing.opening.first import first_message
from chatwoot_tools.writing.opening.once import Attempt, Sent, find_by_key, find_rival, is_ours, send_once
from chatwoot_tools.writing.opening.refusal import check_contact, explain_refusal
from chatwoot_tools.writing.opening.target import Target, resolve_target
from chatwoot_tools.writing.opening.wanted import WantedConversation
from chatwoot_tools.writing.stamp import UNSTAMPED, Stamp, stamp_on

_NOT_LOOKED_UP: Final = "idempotency_key: whether another process used it just now could not be looked up."

Outcome = Literal["created", "reused", "already_created", "recovered"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation, how we came by it, and what is to be told of it. ``sent`` is None where it is not shown now."""

    outcome: Outcome
    attempt: Attempt
    sent: Sent | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """After a dry run: what the call would try, and what is to be told of it."""

    attempt: Attempt
    warnings: list[str]


async def open_conversation(wanted: WantedConversation, ctx: Context) -> Opened | Rehearsed:
    """Check and send once, or find what the same key opened before. Raises ToolFailure and ChatwootError."""
    target, warnings = await check(wanted, await resolve_target(wanted, ctx), ctx)
    attempt = _prepare(wanted, target, ctx)
    key = attempt.key
    async with ctx.holding(key):
        if key and (record := await ctx.ledger.get(key)):
            return await _again(record, attempt, ctx, warnings)
        if key and (earlier := await _of_another_process(attempt, ctx, warnings)):
            return Opened("already_created", attempt, Sent(earlier), warnings)
        if wanted.dry_run:
            warnings += await check_contact(target, ctx)
            return Rehearsed(attempt, warnings)
        sent = await _send(attempt, ctx)
        first = await _first_of_key(attempt, sent, ctx, warnings) if key else sent.conversation
        if key:
            await ctx.ledger.put(key, Record(attempt.arguments, first.id))
    if first.id != sent.conversation.id:
        return Opened("already_created", attempt, Sent(first), warnings)
    outcome: Outcome = "recovered" if sent.recovered else "reused" if sent.reused else "created"
    return Opened(outcome, attempt, sent, warnings)


def _prepare(wanted: WantedConversation, target: Target, ctx: Context) -> Attempt:
    body = wanted.body(target.inbox_id, target.contact_id)
    key = ledger_key("conversation", target.account_id, wanted.idempotency_key) if wanted.idempotency_key else None
    stamp = Stamp.of(key, body, ctx.scope)
    if not ctx.policy.stamp:
        return Attempt(wanted, target, key, body, None, stamp.arguments)
    if wanted.message:
        body["message"]["content_attributes"] = {STAMP_KEY: str(stamp)}
    return Attempt(wanted, target, key, stamp.put_on(body), stamp, stamp.arguments)


async def _again(record: Record, attempt: Attempt, ctx: Context, warnings: list[str]) -> Opened:
    """What this process made with the same key. A bot's token may not be shown it: before 4.15, or in a team (500)."""
    lost.refuse_other_arguments(record.arguments, attempt.arguments)
    account_id = attempt.target.account_id
    if ctx.policy.hides:
        with lost.remembered():
            conversation = await changes.show(account_id, record.id, ctx)
        return Opened("already_created", attempt, Sent(conversation), warnings)
    try:
        conversation = await ctx.client.conversations.show(account_id, record.id)
    except errors.NotFound:
        why = "which no longer exists"
    except ChatwootError as failure:
        of_bot = isinstance(failure, errors.ServerError) and await ctx.directory.role(account_id) == "bot"
        if not of_bot and not unreadable(failure):
            raise
        why = "which this token is not shown"
    else:
        return Opened("already_created", attempt, Sent(conversation), warnings)
    warnings.append(f"An earlier call with this idempotency_key gave conversation {record.id}, {why}.")
    return Opened("already_created", attempt, None, warnings)


async def _of_another_process(attempt: Attempt, ctx: Context, warnings: list[str]) -> Conversation | None:
    """What another process made with the same key, by the stamp in Chatwoot."""
    if attempt.stamp is None:
        warnings.append(UNSTAMPED)
    try:
        found = await find_by_key(attempt, ctx, warnings)
    except errors.NotFound:
        return None  # no such contact: the create itself will say so
    except ChatwootError as failure:
        if not unreadable(failure):
            raise
        warnings.append("idempotency_key: earlier calls of other processes cannot be looked up with this token.")
        return None
    stamp = stamp_on(found.additional_attributes) if found else None
    if stamp is not None and attempt.stamp is not None and stamp.id == attempt.stamp.id:
        lost.refuse_other_arguments(stamp.arguments, attempt.arguments)
    return found


async def _first_of_key(attempt: Attempt, sent: Sent, ctx: Context, warnings: list[str]) -> Conversation:
    """Ours, unless another process opened the same with the same key at the same moment: then the first of both
    counts."""
    if attempt.stamp is None:
        return sent.conversation
    if attempt.wanted.message and (sent.reused or attempt.target.locked):
        warnings += await _written_beside(attempt, sent, ctx)
    if sent.reused:
        return sent.conversation
    try:
        rival = await find_rival(attempt, sent.conversation, ctx)
    except ChatwootError as failure:
        if not unreadable(failure):
            warnings.append(_NOT_LOOKED_UP)
        return sent.conversation
    if rival is None:
        return sent.conversation
    if not is_ours(rival, attempt):
        warnings.append(
            "Another process used this idempotency_key with other arguments at the same moment: conversation "
            f"{rival.id} was opened by it. Give each conversation a key of its own."
        )
        return sent.conversation
    first, second = sorted((rival, sent.conversation), key=lambda each: each.id)
    warnings.append(
        f"Another process used this idempotency_key at the same moment: conversation {second.id} was opened beside "
        f"{first.id}. Resolve {second.id} with update_conversation."
    )
    return first


async def _written_beside(attempt: Attempt, sent: Sent, ctx: Context) -> list[str]:
    """A locked inbox puts what two processes write at the same moment into one conversation."""
    mine = await first_message(attempt, sent, ctx, as_answered=not sent.recovered)
    if mine is None:
        return [_NOT_LOOKED_UP]
    return await messages.survey(mine, ctx, attempt.first_message_in(sent.conversation.id))


async def _send(attempt: Attempt, ctx: Context) -> Sent:
    try:
        return await send_once(attempt, ctx)
    except ChatwootError as failure:
        raise await explain_refusal(failure, attempt.target, ctx) from None
