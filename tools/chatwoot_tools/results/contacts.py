"""Contacts: how they look in a result, what an e-mail and a phone number must look like, who has one already.

Where inboxes are limited, there are only those that have an identity or a conversation in one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from aiochatwoot.errors import BotEndpointClosed, NotFound
from aiochatwoot.models import Contact
from chatwoot_tools.arguments.inputs import Text
from chatwoot_tools.call.context import Context, Policy
from chatwoot_tools.call.together import together
from chatwoot_tools.digest import without_stamp
from chatwoot_tools.facts.channels import Channel, channel_rules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.results.conversations import ConversationLine
from chatwoot_tools.results.parts import Time
from chatwoot_tools.text import NAME_CHARS, clean, clean_json
from chatwoot_tools.tool import Output

_EMAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_E164: Final = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value.strip()):
        raise ValueError("must be one e-mail address, such as jane@example.com")
    return value.strip().lower()


def _phone(value: str) -> str:
    """Spaces and the like are left out; a country code is not guessed."""
    number = re.sub(r"[\s().-]", "", value)
    if not _E164.fullmatch(number):
        raise ValueError("must be in E.164: + and country code first, such as +15551234567")
    return number


Email = Annotated[Text, Field(max_length=255), AfterValidator(_email)]
Phone = Annotated[Text, Field(max_length=40), AfterValidator(_phone)]


class ContactInboxView(Output):
    inbox_id: int
    inbox_name: str | None = None
    channel: Channel | None = None
    source_id: str


class ContactView(Output):
    """``exact``: found by a whole value, not a part. All texts are the customer's own."""

    id: int
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    blocked: bool | None = None
    exact: bool | None = None
    custom_attributes: dict[str, Any] | None = None
    additional_attributes: dict[str, Any] | None = None
    last_activity_at: Time | None = None
    inboxes: list[ContactInboxView] | None = None
    conversations: list[ConversationLine] | None = None


def contact_view(
    contact: Contact,
    policy: Policy,
    *,
    exact: bool | None = None,
    inboxes: bool = False,
    conversations: list[ConversationLine] | None = None,
) -> ContactView:
    return ContactView(
        id=contact.id,
        name=_name(contact.name),
        email=_name(contact.email),
        phone_number=_name(contact.phone_number),
        identifier=_name(contact.identifier),
        blocked=contact.blocked or None,
        exact=exact,
        custom_attributes=clean_json(contact.custom_attributes) or None,
        additional_attributes=clean_json(without_stamp(contact.additional_attributes)) or None,
        last_activity_at=contact.last_activity_at,
        inboxes=_inboxes(contact, policy) if inboxes else None,
        conversations=conversations,
    )


def _inboxes(contact: Contact, policy: Policy) -> list[ContactInboxView]:
    return [
        ContactInboxView(
            inbox_id=link.inbox.id,
            inbox_name=_name(link.inbox.name),
            channel=rules.name if (rules := channel_rules(link.inbox.channel_type)) else None,
            source_id=clean(link.source_id, NAME_CHARS),
        )
        for link in contact.contact_inboxes
        if policy.allows_inbox(link.inbox.id)
    ]


def _name(text: str | None) -> str | None:
    return clean(text, NAME_CHARS) if text else None


async def seen(contacts: Iterable[Contact], account_id: int, ctx: Context) -> list[Contact]:
    """Those that there are for the caller."""
    found = list(contacts)
    shown = await together(*(_is_seen(contact, account_id, ctx) for contact in found))
    return [contact for contact, is_shown in zip(found, shown, strict=True) if is_shown]


async def _is_seen(contact: Contact, account_id: int, ctx: Context) -> bool:
    """An identity may be taken away from a contact whose conversation stays; of those the newest 20 are looked at."""
    allows = ctx.policy.allows_inbox
    if not ctx.policy.hides or any(allows(link.inbox.id) for link in contact.contact_inboxes):
        return True
    return any(allows(each.inbox_id) for each in await ctx.client.contacts.conversations(account_id, contact.id))


async def show(account_id: int, contact_id: int, ctx: Context) -> Contact:
    """The contact. Raises ToolFailure ``not_found``, also for one that is hidden."""
    try:
        found = await seen([await ctx.client.contacts.show(account_id, contact_id)], account_id, ctx)
    except NotFound:
        found = []
    except BotEndpointClosed:
        if not ctx.policy.hides:
            raise
        text = (
            "Nothing was sent. A bot's token is not shown which inboxes a contact is known in: a person's token is "
            f"needed. {ctx.policy.allowing}"
        )
        raise ToolFailure("bot_not_allowed", text, field="contact_id") from None
    if found:
        return found[0]
    text = f"Nothing was sent: account {account_id} has no contact {contact_id}"
    if not ctx.policy.hides:
        raise ToolFailure("not_found", f"{text}.", field="contact_id", http_status=404)
    text += " with an identity or a conversation in an inbox that may be used here"
    raise ToolFailure("not_found", f"{text}. {ctx.policy.allowing}", field="contact_id")


async def check(account_id: int, contact_id: int, ctx: Context) -> None:
    """Where inboxes are limited, raises as ``show`` does; else whoever uses the id finds out."""
    if ctx.policy.hides:
        await show(account_id, contact_id, ctx)


async def owner_of(unique: dict[str, str], account_id: int, ctx: Context) -> Contact | None:
    """The one contact that has any of these e-mail, phone number and identifier, or None.

    Raises ToolFailure ``ambiguous_name`` where they belong to several: to guess would mix customers up.
    """
    having = (await ctx.client.contacts.with_any(account_id, 1, **unique)).contacts if unique else ()
    found = await seen(having, account_id, ctx)
    if len(found) > 1:
        listed = ", ".join(f"{contact.id} ({_shared(contact, unique)})" for contact in found[:10])
        text = f"Nothing was changed: these belong to several contacts: {listed}. Give contact_id, or fewer of them."
        raise ToolFailure("ambiguous_name", text, field=next(iter(unique)))
    return found[0] if found else None


def _shared(contact: Contact, unique: dict[str, str]) -> str:
    held = {"email": contact.email, "phone_number": contact.phone_number, "identifier": contact.identifier}
    return ", ".join(field for field, value in unique.items() if (held[field] or "").casefold() == value.casefold())
