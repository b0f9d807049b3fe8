"""How conversations and messages look in a result: lean, cleaned, without nulls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer

from aiochatwoot.models import Conversation, Message, Priority, Status
from aiochatwoot.request import Request
from chatwoot_tools.channels import Channel, channel_rules
from chatwoot_tools.text import NAME_CHARS, clean, clean_json
from chatwoot_tools.tool import Output


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_iso, return_type=str)]
"""ISO 8601 in UTC, to the second."""

STAMP_KEY = "chatwoot_mcp"
"""The key of ``additional_attributes`` that is ours (see ``stamp``); it is not shown."""


class Named(Output):
    id: int
    name: str | None = None


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


class MessageView(Output):
    id: int
    content: str | None = None
    private: bool
    status: str | None = None
    created_at: Time | None = None


class Fix(Output):
    """The call that achieves what was not applied."""

    tool: str
    arguments: dict[str, Any]


class NotApplied(Output):
    """An argument that Chatwoot did not honour. ``actual`` is absent when nothing is set."""

    field: str
    asked: Any
    actual: Any = None
    reason: str
    fix: Fix | None = None


class PreparedRequest(Output):
    """A request as it would have been sent."""

    method: str
    path: str
    body: dict[str, Any]


def prepared(write: Request) -> PreparedRequest:
    return PreparedRequest(method=write.method, path=write.path, body=write.body)


def conversation_url(base_url: str, account_id: int, conversation_id: int) -> str:
    """Where a person opens the conversation in Chatwoot's dashboard."""
    return f"{base_url}/app/accounts/{account_id}/conversations/{conversation_id}"


def named(record: Any) -> Named | None:
    """Id and name of a contact, an agent or a team."""
    if record is None:
        return None
    return Named(id=record.id, name=clean(record.name, NAME_CHARS) if record.name else None)


def own_attributes(conversation: Conversation) -> dict[str, Any]:
    """``additional_attributes`` without our stamp."""
    return {key: value for key, value in conversation.additional_attributes.items() if key != STAMP_KEY}


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
        additional_attributes=clean_json(own_attributes(conversation)) or None,
        can_reply=conversation.can_reply,
        created_at=conversation.created_at,
        url=conversation_url(base_url, conversation.account_id, conversation.id),
    )


def message_view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        content=clean(message.content) if message.content else None,
        private=message.private,
        status=message.status,
        created_at=message.created_at,
    )
