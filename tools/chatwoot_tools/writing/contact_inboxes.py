"""A contact's identity in an inbox: the one it has, or one that Chatwoot makes; and else what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiochatwoot import writes
from aiochatwoot.errors import ChatwootError, Effect, Rejected
from aiochatwoot.models import Contact, ContactInbox, Inbox, SlimInbox
from aiochatwoot.resources.contacts import read_source_id
from chatwoot_tools.call.context import Context
from chatwoot_tools.facts.channels import ChannelRules, channel_rules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.writing import lost

_NONE = "The contact is saved, and has no source_id in that inbox"


@dataclass(frozen=True, slots=True)
class Identity:
    """``warning``: why there is no ``source_id``."""

    source_id: str | None = None
    warning: str | None = None


def known_in(inbox: Inbox, contact: Contact | None) -> str | None:
    links = contact.contact_inboxes if contact else ()
    return next((link.source_id for link in reversed(links) if link.inbox.id == inbox.id), None)


def cannot_make(inbox: Inbox, details: dict[str, Any]) -> str | None:
    """Why Chatwoot makes no identity in the inbox for a contact with these details (e-mail, phone number)."""
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is None:
        return f"{_NONE}: none was asked for, as this server does not know its channel."
    if rules.minted_from is None:
        return f"{_NONE}: Chatwoot cannot make one on {rules.name}; the customer has to write first."
    if rules.minted_from != "nothing" and not details.get(rules.minted_from):
        return f"{_NONE}: on {rules.name} Chatwoot makes it from the contact's {rules.minted_from}, which is not set."
    return None


async def rightful_owner(inbox: Inbox, contact: Contact, account_id: int, ctx: Context) -> int | None:
    """The other contact who has the source id that Chatwoot would make for this one, where it would take it away."""
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is None or not rules.steals:
        return None
    source_id = getattr(contact, rules.minted_from or "", None)
    own = {each.source_id for each in contact.contact_inboxes if each.inbox.id == inbox.id}
    if not source_id or source_id in own:
        return None
    owner = await ctx.directory.source_owner(account_id, inbox.id, source_id)
    return None if owner == contact.id else owner


async def refuse_taking(inbox: Inbox, contact: Contact, account_id: int, ctx: Context) -> None:
    """Raises ToolFailure ``source_id_taken`` where a new identity of the contact would be taken from another."""
    if (owner := await rightful_owner(inbox, contact, account_id, ctx)) is not None:
        text = (
            f"Nothing was created: Chatwoot would take the contact's source_id in that inbox from contact {owner}, who "
            f"is known there by the same address or number. Use contact {owner}, or another inbox."
        )
        raise ToolFailure("source_id_taken", text, field="contact_id")


async def place_of_new(details: dict[str, Any], inbox: Inbox | None, account_id: int, ctx: Context) -> dict[str, Any]:
    """What a new contact is sent with, beside its details, so that a caller limited to inboxes sees it again.

    Raises ToolFailure ``not_allowed`` where it would not, and ``source_id_taken``.
    """
    if not ctx.policy.hides:
        return {}
    if inbox is not None and cannot_make(inbox, details) is None:
        await refuse_taking(inbox, to_be(details), account_id, ctx)
        return {"inbox_id": inbox.id}
    why = "is needed" if inbox is None else "is of a channel that needs another detail of them, or makes no source_id"
    text = f"Nothing was written: `inbox` {why}. A new contact has to be known in one that may be used here."
    raise ToolFailure("not_allowed", f"{text} {ctx.policy.allowing}", field="inbox")


def to_be(details: dict[str, Any]) -> Contact:
    """A contact with these details that is yet to be made."""
    return Contact.model_validate({**details, "id": 0})


async def why_none(inbox: Inbox, contact: Contact, account_id: int, ctx: Context) -> str | None:
    """Why no identity in the inbox is asked for: Chatwoot could not make it, or would take it from somebody else."""
    if why := cannot_make(inbox, contact.model_dump(include={"email", "phone_number"})):
        return why
    try:
        owner = await rightful_owner(inbox, contact, account_id, ctx)
    except ChatwootError as failure:
        return f"{_NONE}: whether another contact has it could not be looked up. {explain(failure).text}"
    return None if owner is None else f"{_NONE}: it is contact {owner}'s there, from whom Chatwoot would take it."


async def identity_in(inbox: Inbox, contact: Contact, account_id: int, ctx: Context) -> Identity:
    """The contact is saved already: whatever becomes of this is a warning, and no failure."""
    if source_id := known_in(inbox, contact):
        return Identity(source_id)
    if why := await why_none(inbox, contact, account_id, ctx):
        return Identity(warning=why)
    try:
        made = await ctx.client.perform(writes.add_contact_to_inbox(account_id, contact.id, inbox.id))
        return Identity(read_source_id(made))
    except ChatwootError as failure:
        return await _after(failure, inbox, contact, account_id, ctx)


def known_as(contact: Contact, inbox: Inbox | None, identity: Identity) -> Contact:
    """The contact with the identity, also where it was made since the contact was read."""
    if inbox is None or identity.source_id is None or known_in(inbox, contact) == identity.source_id:
        return contact
    place = SlimInbox(id=inbox.id, name=inbox.name, channel_type=inbox.channel_type)
    made = ContactInbox(source_id=identity.source_id, inbox=place)
    return contact.model_copy(update={"contact_inboxes": (*contact.contact_inboxes, made)})


def _why_refused(failure: ChatwootError, inbox: Inbox) -> str:
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is not None and isinstance(failure, Rejected) and "source_id" in failure.attributes:
        return anothers(rules)
    told = explain(failure)
    return f"{told.text} The same call again would make it." if told.retryable else told.text


def anothers(rules: ChannelRules) -> str:
    """What to do where Chatwoot refuses the source id that it made itself: of WhatsApp's it cannot take any away."""
    return (
        f"Chatwoot refuses the contact's own source_id on {rules.name}, usually because another contact has it. To "
        f"write to whoever has it, call create_conversation with inbox_id and the source_id ({rules.source}), without "
        f"contact_id; else give this contact another {rules.minted_from}."
    )


async def _after(failure: ChatwootError, inbox: Inbox, contact: Contact, account_id: int, ctx: Context) -> Identity:
    if failure.effect is Effect.NONE:
        return Identity(warning=f"{_NONE}; none was made: {_why_refused(failure, inbox)}")

    async def find() -> str | None:
        return known_in(inbox, await ctx.client.contacts.show(account_id, contact.id))

    try:
        found = await lost.find_effect(find, failure, ctx)
    except lost.Undecided:
        text = (
            "The contact is saved. Chatwoot gave no usable answer when it was to make a source_id in that inbox, and "
            "whether it did is not known: look with find_contacts, include inboxes."
        )
        return Identity(warning=text)
    if found is not None:
        return Identity(found)
    return Identity(warning=f"{_NONE}: Chatwoot failed, and a look showed that none was made. Call again to make it.")
