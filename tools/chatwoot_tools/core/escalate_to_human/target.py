"""The customer and the conversation: found, or made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.escalate_to_human.model import StepStatus
from chatwoot_tools.core.escalate_to_human.plan import NOT_YET, Found, Plan, Progress
from chatwoot_tools.core.escalate_to_human.rehearsal import rehearse, rehearse_with_new_contact
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.results.contacts import check, owner_of
from chatwoot_tools.writing import changes, lost
from chatwoot_tools.writing.contact_inboxes import place_of_new, refuse_taking, to_be
from chatwoot_tools.writing.contacts import UNIQUE, create_request, save
from chatwoot_tools.writing.opening.open import Rehearsed, open_conversation
from chatwoot_tools.writing.opening.wanted import WantedConversation


async def find_or_open(plan: Plan, progress: Progress, ctx: Context) -> Found:
    if plan.args.conversation_id is not None:
        conversation = await changes.look(plan.account_id, plan.args.conversation_id, ctx)
        if conversation is not None:
            progress.tell("conversation", "already_done")
        return Found(plan.args.conversation_id, conversation)
    contact_id = await _contact_id(plan, progress, ctx)
    try:
        return await _open_one(plan, contact_id, progress, ctx)
    except (ToolFailure, ChatwootError) as error:
        if not any((step.step, step.status) == ("contact", "done") for step in progress.steps):
            raise
        told = error if isinstance(error, ToolFailure) else explain(error)
        text = f"{told.text} Before that contact {contact_id} was created."
        raise replace(told, text=text, partial=True) from None


async def _contact_id(plan: Plan, progress: Progress, ctx: Context) -> int:
    args = plan.args
    if args.contact_id is not None:
        await check(plan.account_id, args.contact_id, ctx)
        return args.contact_id
    unique = {name: value for name in UNIQUE if (value := getattr(args, name)) is not None}
    known = await owner_of(unique, plan.account_id, ctx)
    if known is not None:
        progress.tell("contact", "already_done")
        return known.id
    wanted: dict[str, Any] = {**unique, **({"name": args.name} if args.name else {})}
    if plan.inbox is not None:
        await refuse_taking(plan.inbox, to_be(wanted), plan.account_id, ctx)
    if progress.is_rehearsal:
        place = await place_of_new(wanted, plan.inbox, plan.account_id, ctx)
        progress.plan("contact", "would be created", create_request({**wanted, **place}, plan.account_id, None))
        return NOT_YET
    saved = await save(wanted, None, plan.account_id, ctx, inbox=plan.inbox)
    if saved.outcome == "unchanged":
        progress.tell("contact", "already_done")
    else:
        progress.tell("contact", "done", f"created contact {saved.contact.id}")
    return saved.contact.id


async def _open_one(plan: Plan, contact_id: int, progress: Progress, ctx: Context) -> Found:
    """The customer's unresolved conversation in the inbox, else a new one."""
    theirs = await _conversations(plan, contact_id, ctx)
    for conversation in theirs:
        if conversation.status != "resolved":
            progress.tell("conversation", "already_done", f"used conversation {conversation.id}")
            return Found(conversation.id, conversation)
    if progress.is_rehearsal and contact_id == NOT_YET:
        return await rehearse_with_new_contact(plan, progress, ctx)
    wanted = WantedConversation(
        account_id=plan.account_id,
        inbox_id=plan.inbox_id,
        contact_id=contact_id,
        team_id=plan.team_id,
        idempotency_key=plan.conversation_key,
        dry_run=progress.is_rehearsal,
    )
    opened = await open_conversation(wanted, ctx)
    progress.warnings += opened.warnings
    if isinstance(opened, Rehearsed):
        return await rehearse(plan, opened.attempt, theirs, progress, ctx)
    if opened.sent is None:
        raise lost.out_of_sight()
    conversation = opened.sent.conversation
    status: StepStatus = "already_done" if opened.outcome == "already_created" else "done"
    progress.tell("conversation", status, f"{opened.outcome.replace('_', ' ')} conversation {conversation.id}")
    return Found(conversation.id, conversation, is_new=opened.outcome == "created")


async def _conversations(plan: Plan, contact_id: int, ctx: Context) -> list[Conversation]:
    """Those of the customer in the inbox."""
    if contact_id == NOT_YET:
        return []
    try:
        theirs = await ctx.client.contacts.conversations(plan.account_id, contact_id)
    except errors.NotFound:
        text = f"Nothing was sent: account {plan.account_id} has no contact {contact_id}."
        raise ToolFailure("not_found", text, field="contact_id", http_status=404) from None
    return [conversation for conversation in theirs if conversation.inbox_id == plan.inbox_id]
