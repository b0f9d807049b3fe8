"""Messages as results show them: cleaned and short."""

from __future__ import annotations

from typing import Final, Literal

from aiochatwoot.models import Message
from chatwoot_tools.results.parts import Time
from chatwoot_tools.text import clean
from chatwoot_tools.tool import Output

AuthorKind = Literal["contact", "agent", "bot", "system"]
"""Who wrote a message; contact is the customer."""
MessageKind = Literal["incoming", "outgoing", "note", "activity", "template"]
"""What a message is: the customer sees an outgoing one, and never a note."""

_SHORT: Final = 60
_SNIPPET: Final = 80
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
    return Author(kind=kind, id=sender.id, name=short_name(sender.name))


def last_message(message: Message) -> LastMessage:
    content = " ".join(clean(message.content or "", 2 * _SNIPPET).split())
    cut = content if len(content) <= _SNIPPET else f"{content[:_SNIPPET]}…"
    return LastMessage(author=author_of(message).kind, kind=_kind(message), content=cut)


def short_name(text: str | None) -> str | None:
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
