"""Contacts: how they look in a result, what an e-mail and a phone number must look like, who has one already."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from aiochatwoot.models import Contact
from chatwoot_tools.channels import Channel, channel_rules
from chatwoot_tools.context import Context, Policy
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.inputs import Text
from chatwoot_tools.text import NAME_CHARS, clean, clean_json
from chatwoot_tools.tool import Output
from chatwoot_tools.views import ConversationLine, Time, without_stamp

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


async def owner_of(unique: dict[str, str], account_id: int, ctx: Context) -> Contact | None:
    """The one contact that has any of these e-mail, phone number and identifier, or None.

    Raises ToolFailure ``ambiguous_name`` where they belong to several: to guess would mix customers up.
    """
    found = (await ctx.client.contacts.with_any(account_id, 1, **unique)).contacts if unique else ()
    if len(found) > 1:
        listed = ", ".join(f"{contact.id} ({_shared(contact, unique)})" for contact in found[:10])
        text = f"Nothing was changed: these belong to several contacts: {listed}. Give contact_id, or fewer of them."
        raise ToolFailure("ambiguous_name", text, field=next(iter(unique)))
    return found[0] if found else None


def _shared(contact: Contact, unique: dict[str, str]) -> str:
    held = {"email": contact.email, "phone_number": contact.phone_number, "identifier": contact.identifier}
    return ", ".join(field for field, value in unique.items() if (held[field] or "").casefold() == value.casefold())
