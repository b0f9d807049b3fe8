"""Conversations as results show them: cleaned and short."""

from __future__ import annotations

from typing import Any, Final

from aiochatwoot.models import Conversation, Priority, Status
from chatwoot_tools.digest import without_stamp
from chatwoot_tools.facts.channels import Channel, channel_rules
from chatwoot_tools.results.messages import LastMessage, last_message, short_name
from chatwoot_tools.results.parts import Named, Time, named
from chatwoot_tools.text import NAME_CHARS, clean, clean_json
from chatwoot_tools.tool import Output

_LABELS: Final = 10
_LABEL_CHARS: Final = 60


class ConversationView(Output):
    id: int
    uuid: str | None = None
    account_id: int
    inbox_id: int
    inbox_name: str | None = None
    channel: Channel | None = None
    status: Status
    priority: Priority | None = None
    contact: Named | None = None
    assignee: Named | None = None
    team: Named | None = None
    labels: list[str] | None = None
    custom_attributes: dict[str, Any] | None = None
    additional_attributes: dict[str, Any] | None = None
    can_reply: bool | None = None
    created_at: Time | None = None
    url: str


class ConversationLine(Output):
    """A conversation as a list shows it: about 300 bytes."""

    id: int
    status: Status
    priority: Priority | None = None
    inbox: str | None = None
    contact: Named | None = None
    assignee: str | None = None
    team: str | None = None
    labels: list[str] | None = None
    unread: int | None = None
    last_activity_at: Time | None = None
    last_message: LastMessage | None = None


def conversation_url(base_url: str, account_id: int, conversation_id: int) -> str:
    """Where a person opens the conversation in Chatwoot's dashboard."""
    return f"{base_url}/app/accounts/{account_id}/conversations/{conversation_id}"


def conversation_view(
    conversation: Conversation, base_url: str, *, inbox_name: str | None = None, medium: str | None = None
) -> ConversationView:
    rules = channel_rules(conversation.meta.channel, medium)
    return ConversationView(
        id=conversation.id,
        uuid=conversation.uuid,
        account_id=conversation.account_id,
        inbox_id=conversation.inbox_id,
        inbox_name=clean(inbox_name, NAME_CHARS) if inbox_name else None,
        channel=rules.name if rules else None,
        status=conversation.status,
        priority=conversation.priority,
        contact=named(conversation.meta.sender),
        assignee=named(conversation.meta.assignee),
        team=named(conversation.meta.team),
        labels=[clean(label, NAME_CHARS) for label in conversation.labels] or None,
        custom_attributes=clean_json(conversation.custom_attributes) or None,
        additional_attributes=clean_json(without_stamp(conversation.additional_attributes)) or None,
        can_reply=conversation.can_reply,
        created_at=conversation.created_at,
        url=conversation_url(base_url, conversation.account_id, conversation.id),
    )


def conversation_line(conversation: Conversation, inbox_name: str | None) -> ConversationLine:
    meta, last = conversation.meta, conversation.last_non_activity_message
    return ConversationLine(
        id=conversation.id,
        status=conversation.status,
        priority=conversation.priority,
        inbox=short_name(inbox_name),
        contact=Named(id=meta.sender.id, name=short_name(meta.sender.name)) if meta.sender else None,
        assignee=short_name(meta.assignee.name) if meta.assignee else None,
        team=short_name(meta.team.name) if meta.team else None,
        labels=[clean(label, _LABEL_CHARS) for label in conversation.labels[:_LABELS]] or None,
        unread=conversation.unread_count or None,
        last_activity_at=conversation.last_activity_at,
        last_message=last_message(last) if last and last.content else None,
    )
