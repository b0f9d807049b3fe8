"""In a dry run: the conversation that Chatwoot is expected to make, so that the rest can be planned on it."""

from __future__ import annotations

from typing import Any

from aiochatwoot import writes
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Contact, Conversation, ConversationMeta, Inbox, Team
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.escalate_to_human.plan import NOT_YET, Found, Plan, Progress
from chatwoot_tools.facts.channels import channel_rules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.writing.opening.once import Attempt


async def rehearse(plan: Plan, attempt: Attempt, theirs: list[Conversation], progress: Progress, ctx: Context) -> Found:
    """``theirs``: the contact's conversations in the inbox, all of them resolved."""
    target = attempt.target
    request = attempt.request
    contact = await ctx.client.contacts.show(plan.account_id, target.contact_id)
    # Of a source id that Chatwoot would draw at random there is no earlier conversation.
    if target.locked and theirs and target.rules and target.rules.minted_from != "nothing":
        latest = max(theirs, key=lambda each: each.id)
        progress.plan("conversation", f"the inbox would give back its only one, conversation {latest.id}", request)
        return Found(latest.id, latest)
    progress.plan("conversation", f"would be opened in inbox {plan.inbox_id}", request)
    return Found(NOT_YET, await _expected(plan, contact, ctx), is_new=True)


async def rehearse_with_new_contact(plan: Plan, progress: Progress, ctx: Context) -> Found:
    args, inbox_id = plan.args, plan.inbox_id or NOT_YET
    details = args.model_dump(include={"name", "email", "phone_number", "identifier"})
    contact = Contact.model_validate({"id": NOT_YET, **details})
    if (inbox := await ctx.directory.inbox(plan.account_id, inbox_id)) is not None:
        _check_identity(contact, inbox)
    body: dict[str, Any] = {"inbox_id": inbox_id, "contact_id": NOT_YET}
    if plan.team_id is not None:
        body["team_id"] = plan.team_id
    request = writes.create_conversation(plan.account_id, body)
    progress.plan("conversation", f"would be opened in inbox {inbox_id}", request)
    return Found(NOT_YET, await _expected(plan, contact, ctx), is_new=True)


def _check_identity(contact: Contact, inbox: Inbox) -> None:
    """Of a new contact. Raises ToolFailure where Chatwoot could open nothing: it makes a source id of such a detail."""
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is None or rules.minted_from == "nothing":
        return
    if rules.minted_from is None:
        text = (
            f"Nothing was sent: Chatwoot cannot make a source_id on {rules.name}, and the customer has none there yet."
        )
        raise ToolFailure("source_id_required", text, field="source_id")
    if not getattr(contact, rules.minted_from):
        what = rules.minted_from
        text = f"Nothing was sent: {what} is needed to open a conversation on {rules.name}, and the customer has none."
        raise ToolFailure("contact_detail_missing", text, field=what)


async def _expected(plan: Plan, contact: Contact, ctx: Context) -> Conversation:
    """For a blocked contact Chatwoot makes it resolved, in an inbox with a bot pending."""
    inbox_id = plan.inbox_id or NOT_YET
    try:
        has_bot = await ctx.directory.agent_bot(plan.account_id, inbox_id) is not None
    except ChatwootError:
        has_bot = False
    return Conversation(
        id=NOT_YET,
        account_id=plan.account_id,
        inbox_id=inbox_id,
        status="resolved" if contact.blocked else "pending" if has_bot else "open",
        meta=ConversationMeta(
            sender=contact, team=None if plan.team_id is None else Team(id=plan.team_id, name="as asked for")
        ),
    )
