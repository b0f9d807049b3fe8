"""Inboxes that assign by themselves: in Chatwoot 4.15 a background job does, so that an agent may follow an answer."""

from __future__ import annotations

from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Inbox
from chatwoot_tools.call.context import Context

_MAY_FOLLOW = "Nobody is assigned yet: the inbox assigns by itself, and an agent may be assigned a moment later."


def may_follow(conversation: Conversation, inbox: Inbox | None) -> list[str]:
    """A warning where the job may still choose somebody: it looks for open conversations without an assignee."""
    waiting = conversation.status == "open" and conversation.meta.assignee is None
    return [_MAY_FOLLOW] if waiting and inbox is not None and inbox.enable_auto_assignment else []


async def inbox_of(conversation: Conversation, ctx: Context) -> Inbox | None:
    """Its inbox as it is kept; None where it cannot be read, which must not spoil a write that is made."""
    try:
        inboxes = await ctx.directory.inboxes(conversation.account_id)
    except ChatwootError:
        return None
    return next((inbox for inbox in inboxes if inbox.id == conversation.inbox_id), None)
