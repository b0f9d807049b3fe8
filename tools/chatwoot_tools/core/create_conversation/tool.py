"""The tool ``create_conversation``: what became of it, beside what was asked."""

from __future__ import annotations

from typing import Final

from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Message
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.create_conversation.model import CreateConversation, CreateConversationResult
from chatwoot_tools.results.conversations import conversation_view
from chatwoot_tools.results.messages import message_view
from chatwoot_tools.results.requests import prepared
from chatwoot_tools.text import clean_json
from chatwoot_tools.tool import Tool
from chatwoot_tools.writing import assigning
from chatwoot_tools.writing.opening.first import first_message
from chatwoot_tools.writing.opening.honesty import made_otherwise, not_applied
from chatwoot_tools.writing.opening.once import Attempt, Sent, is_stamped
from chatwoot_tools.writing.opening.open import Outcome, Rehearsed, open_conversation

_NOT_TOLD: Final = "The first message could not be told from others, so none is shown: look before sending it again."
_MAY_BE_OLDER: Final = (
    "Whether it is new is not known: the inbox, which this token is not shown, may keep one conversation per contact, "
    "and CHATWOOT_MCP_STAMP is off."
)


async def create_conversation(args: CreateConversation, ctx: Context) -> CreateConversationResult:
    """Check, send once, and compare the answer with what was asked."""
    opened = await open_conversation(args.wanted(), ctx)
    if isinstance(opened, Rehearsed):
        request, warnings = prepared(opened.attempt.request), opened.warnings or None
        return CreateConversationResult(outcome="dry_run", request=request, not_applied=[], warnings=warnings)
    if opened.sent is None:
        return CreateConversationResult(outcome=opened.outcome, not_applied=[], warnings=opened.warnings)
    with_bot = await _bot_seen(opened.attempt, opened.sent.conversation, ctx)
    as_answered = opened.outcome in {"created", "reused"}
    message = await first_message(opened.attempt, opened.sent, ctx, as_answered=as_answered)
    result = _result(opened.outcome, opened.attempt, opened.sent, message, ctx, opened.warnings, with_bot=with_bot)
    if args.response_format == "detailed":
        return result.model_copy(update={"raw": clean_json(dict(opened.sent.conversation.raw))})
    return result


async def _bot_seen(attempt: Attempt, conversation: Conversation, ctx: Context) -> bool:
    """Whether the inbox was seen to have a bot. It is looked for where that may be why a conversation is pending."""
    if conversation.status != "pending" or attempt.wanted.status == "pending":
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
    wanted, inbox, conversation = attempt.wanted, attempt.target.inbox, sent.conversation
    if wanted.message and message is None:
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
        not_applied=not_applied(wanted, conversation, message, reused=sent.reused, outcome=outcome, with_bot=with_bot),
        warnings=[*warnings, *_warnings(outcome, attempt, conversation, with_bot=with_bot)] or None,
    )


def _warnings(outcome: Outcome, attempt: Attempt, conversation: Conversation, *, with_bot: bool) -> list[str]:
    wanted, target = attempt.wanted, attempt.target
    warnings: list[str] = []
    if outcome == "already_created":
        made = "created it" if is_stamped(conversation, attempt) else "led to it, which may have been there before"
        warnings.append(f"An earlier call with this idempotency_key {made}; it is shown as it is now.")
    if wanted.status is None and conversation.status != "open" and outcome == "created":
        warnings.append(f"It is {conversation.status}. {made_otherwise(conversation, with_bot=with_bot)}")
    if attempt.stamp is None and target.inbox is None and outcome == "created":
        warnings.append(_MAY_BE_OLDER)
    if (
        wanted.message
        and not wanted.message.private
        and not wanted.message.template_params
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
        "not_applied lists what Chatwoot did otherwise, with the call that fixes it."
    ),
    toolset="core",
    input=CreateConversation,
    output=CreateConversationResult,
    run=create_conversation,
)
