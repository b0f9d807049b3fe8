"""How conversations and messages look in a result: lean, cleaned, without nulls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer

from aiochatwoot.models import Conversation, Message, Priority, Status
from aiochatwoot.request import Request
from chatwoot_tools.digest import STAMP_KEY
from chatwoot_tools.facts.channels import Channel, channel_rules
from chatwoot_tools.text import NAME_CHARS, clean, clean_json
from chatwoot_tools.tool import Output


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_iso, return_type=str)]
"""ISO 8601 in UTC, to the second."""

JsonValue = Annotated[Any, Field(description="Any JSON value.")]

AuthorKind = Literal["contact", "agent", "bot", "system"]
"""Who wrote a message; contact is the customer."""
_SHORT = 60
_SNIPPET = 80
_LABELS = 10
_KINDS: dict[int, Literal["incoming", "outgoing", "activity", "template"]] = {
    0: "incoming",
    1: "outgoing",
    2: "activity",
    3: "template",
}
_AUTHORS: dict[str, AuthorKind] = {
    "user": "agent",
    "contact": "contact",
    "agent_bot": "bot",
    "captain_assistant": "bot",
}
"""The key of ``additional_attributes``, in a message of ``content_attributes``, that is ours; it is not shown."""


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


class Author(Output):
    kind: AuthorKind
    id: int | None = None
    name: str | None = None


MessageKind = Literal["incoming", "outgoing", "note", "activity", "template"]
"""What a message is: the customer sees an outgoing one, and never a note."""


class MessageLine(Output):
    """A message as a list shows it."""

    id: int
    author: Author
    kind: MessageKind
    content: str | None = None
    attachments: list[AttachmentView] | None = None
    status: str | None = None
    created_at: Time | None = None


class AttachmentView(Output):
    type: str | None = None
    url: str | None = None


class LastMessage(Output):
    author: AuthorKind
    kind: MessageKind
    content: str


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


class Fix(Output):
    """The call that achieves what was not applied."""

    tool: str
    arguments: dict[str, Any]


class NotApplied(Output):
    """An argument that Chatwoot did not honour. ``actual`` is absent when nothing is set."""

    field: str
    asked: JsonValue
    actual: JsonValue = None
    reason: str
    fix: Fix | None = None


class PreparedRequest(Output):
    """A request as it would have been sent."""

    method: str
    path: str
    body: dict[str, Any]


def prepared(write: Request) -> PreparedRequest:
    files = {"attachments[]": [file.name for file in write.files]} if write.files else {}
    return PreparedRequest(method=write.method, path=write.path, body={**write.body, **files})


def conversation_url(base_url: str, account_id: int, conversation_id: int) -> str:
    """Where a person opens the conversation in Chatwoot's dashboard."""
    return f"{base_url}/app/accounts/{account_id}/conversations/{conversation_id}"


def named(record: Any) -> Named | None:
    """Id and name of a contact, an agent or a team."""
    if record is None:
        return None
    return Named(id=record.id, name=clean(record.name, NAME_CHARS) if record.name else None)


def without_stamp(additional_attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``additional_attributes`` without our stamp."""
    return {key: value for key, value in additional_attributes.items() if key != STAMP_KEY}


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
        inbox=_short(inbox_name),
        contact=Named(id=meta.sender.id, name=_short(meta.sender.name)) if meta.sender else None,
        assignee=_short(meta.assignee.name) if meta.assignee else None,
        team=_short(meta.team.name) if meta.team else None,
        labels=[clean(label, _SHORT) for label in conversation.labels[:_LABELS]] or None,
        unread=conversation.unread_count or None,
        last_activity_at=conversation.last_activity_at,
        last_message=_last(last) if last and last.content else None,
    )


def message_line(message: Message) -> MessageLine:
    return MessageLine(
        id=message.id,
        author=author_of(message),
        kind=_kind(message),
        content=clean(message.content) if message.content else None,
        attachments=[
            AttachmentView(type=each.file_type, url=clean(each.data_url, 2_000) if each.data_url else None)
            for each in message.attachments
        ]
        or None,
        status=message.status if message.status != "sent" else None,
        created_at=message.created_at,
    )


def _kind(message: Message) -> MessageKind:
    return "note" if message.private else _KINDS.get(message.message_type, "activity")


def author_of(message: Message) -> Author:
    sender = message.sender
    if sender is None:
        return Author(kind="contact" if message.message_type == 0 else "system")
    unknown: AuthorKind = "contact" if message.message_type == 0 else "system"
    kind = _AUTHORS.get(sender.type or "", unknown)
    return Author(kind=kind, id=sender.id, name=_short(sender.name))


def _last(message: Message) -> LastMessage:
    content = " ".join(clean(message.content or "", 2 * _SNIPPET).split())
    cut = content if len(content) <= _SNIPPET else f"{content[:_SNIPPET]}…"
    return LastMessage(author=author_of(message).kind, kind=_kind(message), content=cut)


def _short(text: str | None) -> str | None:
    """A name for a list: whoever needs the whole of it reads the record."""
    if not text:
        return None
    cleaned = clean(text, 2 * _SHORT)
    return cleaned if len(cleaned) <= _SHORT else f"{cleaned[:_SHORT]}…"


def message_view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        content=clean(message.content) if message.content else None,
        private=message.private,
        status=message.status,
        created_at=message.created_at,
    )
