"""Which account, inbox, contact and identity a conversation is for.

Chatwoot ignores half of a half-given pair: a source id with one of inbox and contact is looked up by the source
id alone, across inboxes. So the other half is found first, and the request always carries all that is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiochatwoot.errors import BotEndpointClosed, Forbidden, NotFound
from aiochatwoot.models import Inbox
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.together import together
from chatwoot_tools.facts.channels import ChannelRules, channel_rules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.results import contacts
from chatwoot_tools.writing.opening.wanted import WantedConversation


@dataclass(frozen=True, slots=True)
class Target:
    """Where the conversation goes. ``inbox`` is None where the token may not read inboxes."""

    account_id: int
    inbox_id: int
    contact_id: int
    source_id: str | None
    inbox: Inbox | None = None

    def with_inbox(self, inbox: Inbox) -> Target:
        return replace(self, inbox=inbox)

    @property
    def rules(self) -> ChannelRules | None:
        return channel_rules(self.inbox.channel_type, self.inbox.medium) if self.inbox else None

    @property
    def locked(self) -> bool:
        return bool(self.inbox and self.inbox.lock_to_single_conversation)

    @property
    def may_be_locked(self) -> bool:
        return self.inbox is None or self.locked


async def resolve_target(wanted: WantedConversation, ctx: Context) -> Target:
    """Find the account and whatever of inbox and contact is not given.

    Raises ToolFailure: ``not_found``, ``invalid_arguments`` where several fit, ``bot_not_allowed``, ``not_allowed``.
    """
    account_id = await resolve_account(wanted.account_id, ctx)
    if wanted.inbox_id is not None:
        ctx.policy.check_inbox(wanted.inbox_id)
    if wanted.contact_id is not None:
        await contacts.check(account_id, wanted.contact_id, ctx)
    inbox_id, contact_id = wanted.inbox_id, wanted.contact_id
    if inbox_id is None or contact_id is None:
        inbox_id, contact_id = await _complete(wanted, account_id, ctx)
    return Target(account_id, inbox_id, contact_id, wanted.source_id)


async def _complete(wanted: WantedConversation, account_id: int, ctx: Context) -> tuple[int, int]:
    """Inbox and contact of a known source id."""
    source_id = wanted.source_id or ""
    try:
        if wanted.contact_id is not None:
            return await _inbox_of(account_id, wanted.contact_id, source_id, ctx), wanted.contact_id
        inbox_ids = (
            [wanted.inbox_id]
            if wanted.inbox_id is not None
            else [inbox.id for inbox in await ctx.directory.inboxes(account_id)]
        )
        return await _owner_of(account_id, inbox_ids, source_id, ctx)
    except BotEndpointClosed:
        text = "Nothing was sent. A bot's token cannot look up a source_id: give inbox_id and contact_id with it."
        raise ToolFailure("bot_not_allowed", text, field="source_id") from None
    except Forbidden:
        if wanted.inbox_id is None:
            raise
        raise forbidden_inbox(wanted.inbox_id, "inbox_id") from None


def forbidden_inbox(inbox_id: int, field: str, instead: str = "") -> ToolFailure:
    text = (
        f"Nothing was created: {field} leads to inbox {inbox_id}, and the token's owner is not a member of it. Use "
        f"another inbox, or have an administrator add them. {instead}"
    )
    return ToolFailure("forbidden", text.strip(), field=field)


async def _inbox_of(account_id: int, contact_id: int, source_id: str, ctx: Context) -> int:
    try:
        contact = await ctx.client.contacts.show(account_id, contact_id)
    except NotFound:
        text = f"Nothing was created: account {account_id} has no contact {contact_id}."
        raise ToolFailure("not_found", text, field="contact_id") from None
    inbox_ids = [
        link.inbox.id
        for link in contact.contact_inboxes
        if link.source_id == source_id and ctx.policy.allows_inbox(link.inbox.id)
    ]
    if not inbox_ids:
        raise _unknown_source(f"contact {contact_id} has no such source_id in any inbox", ctx)
    return _only(inbox_ids, "inbox_id", "inboxes")


async def _owner_of(account_id: int, inbox_ids: list[int], source_id: str, ctx: Context) -> tuple[int, int]:
    owners = await together(*(ctx.directory.source_owner(account_id, each, source_id) for each in inbox_ids))
    found = {inbox_id: owner for inbox_id, owner in zip(inbox_ids, owners, strict=True) if owner is not None}
    if not found:
        raise _unknown_source("no contact has such a source_id there", ctx)
    inbox_id = _only(list(found), "inbox_id", "inboxes")
    return inbox_id, found[inbox_id]


def _unknown_source(why: str, ctx: Context) -> ToolFailure:
    why += f" that may be used here. {ctx.policy.allowing}" if ctx.policy.hides else "."
    text = f"Nothing was created: {why} Give inbox_id and contact_id; source_id may then be left out on most channels."
    return ToolFailure("not_found", text, field="source_id")


def _only(ids: list[int], field: str, what: str) -> int:
    if len(ids) == 1:
        return ids[0]
    listed = ", ".join(map(str, ids[:10]))
    text = f"Nothing was sent to Chatwoot. The source_id is known in several {what} ({listed}): give {field}."
    raise ToolFailure("invalid_arguments", text, field=field)
