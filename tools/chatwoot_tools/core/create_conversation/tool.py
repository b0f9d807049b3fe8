"""The way of one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Message
from chatwoot_tools.call.cache import unreadable
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import Record
from chatwoot_tools.core.create_conversation.model import CreateConversation, CreateConversationResult
from chatwoot_tools.results.views import STAMP_KEY, conversation_view, message_view, prepared
from chatwoot_tools.text import clean_json
from chatwoot_tools.tool import Tool
from chatwoot_tools.writing import assigning, changes, lost
from chatwoot_tools.writing.opening.checks import check
from chatwoot_tools.writing.opening.first import first_message
from chatwoot_tools.writing.opening.honesty import made_otherwise, not_applied
from chatwoot_tools.writing.opening.once import Attempt, Sent, find_by_key, find_rival, send_once
from chatwoot_tools.writing.opening.refusal import explain_refusal
from chatwoot_tools.writing.opening.target import Target, resolve_target
from chatwoot_tools.writing.stamp import Stamp, stamp_on

_OURS: Final = {"account_id", "dry_run", "response_format", "idempotency_key"}

_NOT_TOLD: Final = "The first message could not be told from others, so none is shown: look before sending it again."
_MAY_BE_OLDER: Final = (
    "Whether it is new is not known: the inbox, which this token is not shown, may keep one conversation per contact, "
    "and CHATWOOT_MCP_STAMP is off."
)

Outcome = Literal["created", "reused", "already_created", "recovered"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation, how we came by it, and what is to be told of it. ``sent`` is None after a dry run, and
    where it is not shown any more.
    """

    outcome: Outcome | Literal["dry_run"]
    attempt: Attempt
    sent: Sent | None
    warnings: list[str]


async def create_conversation(args: CreateConversation, ctx: Context) -> CreateConversationResult:
    """Check, send once, and compare the answer with what was asked."""
    opened = await open_conversation(args, ctx)
    if opened.sent is None and opened.outcome == "already_created":
        return CreateConversationResult(outcome="already_created", not_applied=[], warnings=opened.warnings)
    if opened.outcome == "dry_run" or opened.sent is None:
        request = prepared(writes.create_conversation(opened.attempt.target.account_id, opened.attempt.body))
        warnings = opened.warnings or None
        return CreateConversationResult(outcome="dry_run", request=request, not_applied=[], warnings=warnings)
    with_bot = await _bot_seen(opened.attempt, opened.sent.conversation, ctx)
    as_answered = opened.outcome in {"created", "reused"}
    message = await first_message(opened.attempt, opened.sent, ctx, as_answered=as_answered)
    return _result(opened.outcome, opened.attempt, opened.sent, message, ctx, opened.warnings, with_bot=with_bot)


async def open_conversation(args: CreateConversation, ctx: Context) -> Opened:
    """Check and send once, or find what the same key opened before. Raises ToolFailure and ChatwootError."""
    target, warnings = await check(args, await resolve_target(args, ctx), ctx)
    attempt = _prepare(args, target, ctx)
    key = f"{target.account_id}:{args.idempotency_key}" if args.idempotency_key else None
    async with ctx.holding(key):
        if key and (record := await ctx.ledger.get(key)):
            return await _again(record, attempt, ctx, warnings)
        if key and (earlier := await _of_another_process(attempt, ctx, warnings)):
            return Opened("already_created", attempt, Sent(earlier), warnings)
        if args.dry_run:
            return Opened("dry_run", attempt, None, warnings)
        sent = await _send(attempt, ctx)
        first = await _first_of_key(attempt, sent, ctx, warnings) if key else sent.conversation
        if key:
            await ctx.ledger.put(key, Record(attempt.arguments, first.id))
    if first.id != sent.conversation.id:
        return Opened("already_created", attempt, Sent(first), warnings)
    outcome: Outcome = "recovered" if sent.recovered else "reused" if sent.reused else "created"
    return Opened(outcome, attempt, sent, warnings)


def _prepare(args: CreateConversation, target: Target, ctx: Context) -> Attempt:
    body = args.model_dump(exclude=_OURS, exclude_none=True)
    if args.message:
        body["message"] = {**body["message"], "private": args.message.private}
    body["inbox_id"], body["contact_id"] = target.inbox_id, target.contact_id
    stamp = Stamp.of(target.account_id, args.idempotency_key, body, ctx.scope)
    if not ctx.policy.stamp:
        return Attempt(args, target, body, None, stamp.arguments)
    if args.message:
        body["message"]["content_attributes"] = {STAMP_KEY: str(stamp)}
    return Attempt(args, target, stamp.put_on(body), stamp, stamp.arguments)


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
        why = "which there is no more"
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
        warnings.append("idempotency_key: it holds within this server process alone, as CHATWOOT_MCP_STAMP is off.")
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
    """Ours, unless another process opened one with the same key at the same moment: then the first of both counts."""
    if attempt.stamp is None or sent.reused:
        return sent.conversation
    try:
        rival = await find_rival(attempt, sent.conversation, ctx)
    except ChatwootError as failure:
        if not unreadable(failure):
            warnings.append("idempotency_key: whether another process used it just now could not be looked up.")
        return sent.conversation
    if rival is None:
        return sent.conversation
    first, second = sorted((rival, sent.conversation), key=lambda each: each.id)
    warnings.append(
        f"Another process used this idempotency_key at the same moment: conversation {second.id} was opened beside "
        f"{first.id}. Resolve {second.id} with update_conversation."
    )
    return first


async def _send(attempt: Attempt, ctx: Context) -> Sent:
    try:
        return await send_once(attempt, ctx)
    except ChatwootError as failure:
        raise await explain_refusal(failure, attempt.target, ctx) from None


async def _bot_seen(attempt: Attempt, conversation: Conversation, ctx: Context) -> bool:
    """Whether the inbox was seen to have a bot. It is looked for where that may be why a conversation is pending."""
    if conversation.status != "pending" or attempt.args.status == "pending":
        return False
    try:
        return await ctx.directory.agent_bot(conversation.account_id, conversation.inbox_id) is not None
    except ChatwootError:
        return False


def _result(
    outcome: Outcome,
    attempt: Attempt,
    sent: Sent,
    message: Message | None,
    ctx: Context,
    warnings: list[str],
    *,
    with_bot: bool,
) -> CreateConversationResult:
    args, inbox, conversation = attempt.args, attempt.target.inbox, sent.conversation
    if args.message and message is None:
        warnings = [*warnings, _NOT_TOLD]
    return CreateConversationResult(
        outcome=outcome,
        conversation=conversation_view(
            conversation,
            ctx.client.base_url,
            inbox_name=inbox.name if inbox else None,
            medium=inbox.medium if inbox else None,
        ),
        message=message_view(message) if message else None,
        not_applied=not_applied(args, conversation, message, reused=sent.reused, outcome=outcome, with_bot=with_bot),
        warnings=[*warnings, *_warnings(outcome, attempt, conversation, with_bot=with_bot)] or None,
        raw=clean_json(dict(conversation.raw)) if args.response_format == "detailed" else None,
    )


def _warnings(outcome: Outcome, attempt: Attempt, conversation: Conversation, *, with_bot: bool) -> list[str]:
    args, target = attempt.args, attempt.target
    warnings: list[str] = []
    if outcome == "already_created":
        warnings.append("An earlier call with this idempotency_key created it; it is shown as it is now.")
    if args.status is None and conversation.status != "open" and outcome == "created":
        warnings.append(f"It is {conversation.status}. {made_otherwise(conversation, with_bot=with_bot)}")
    if attempt.stamp is None and target.inbox is None and outcome == "created":
        warnings.append(_MAY_BE_OLDER)
    if (
        args.message
        and not args.message.private
        and not args.message.template_params
        and conversation.can_reply is False
    ):
        warnings.append("The channel's reply window is closed: only a message with template_params will be delivered.")
    if target.locked and target.source_id is None and target.rules and target.rules.minted_from == "nothing":
        warnings.append("The inbox keeps one conversation per source_id, and without one each call opens another.")
    return warnings + assigning.may_follow(conversation, target.inbox)


CREATE_CONVERSATION: Final = Tool(
    name="create_conversation",
    title="Open a conversation",
    description=(
        "Opens a conversation with a customer, optionally with a first message, which is delivered unless private. "
        "not_applied lists what Chatwoot did not honour, with the call that fixes it."
    ),
    toolset="core",
    input=CreateConversation,
    output=CreateConversationResult,
    run=create_conversation,
)
