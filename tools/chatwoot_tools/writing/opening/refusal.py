"""Why Chatwoot refused a create, or would: its own words are few, so a look tells more."""

from __future__ import annotations

from typing import Literal

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Contact
from chatwoot_tools.call.cache import unreadable
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.writing.contact_inboxes import anothers
from chatwoot_tools.writing.opening.checks import source_id_taken, unknown_inbox
from chatwoot_tools.writing.opening.target import Target


async def explain_refusal(failure: ChatwootError, target: Target, ctx: Context) -> ToolFailure:
    """The failure to show; which id a 404 means is found out by asking for each."""
    match failure:
        case errors.NotFound():
            told = await _which_is_missing(target, ctx)
        case errors.Rejected(detail=str(detail)) if "should be unique" in detail:
            told = source_id_taken()
        case errors.Rejected(attributes=attributes) if "source_id" in attributes:
            told = _source_id_invalid(target)
        case errors.Rejected(detail=str(detail)) if "is missing or the value is empty: contact" in detail:
            told = _contact_detail_missing("email" if "email" in detail else "phone_number", target)
        case _:
            told = explain(failure, writing=True)
    told.http_status = failure.http_status
    return told


async def _which_is_missing(target: Target, ctx: Context) -> ToolFailure:
    try:
        inboxes = await ctx.directory.inboxes(target.account_id, refresh=True)
        if all(inbox.id != target.inbox_id for inbox in inboxes):
            return await unknown_inbox(target, ctx)
        await ctx.client.contacts.show(target.account_id, target.contact_id)
    except errors.NotFound:
        return _no_contact(target)
    except ChatwootError:
        text = (
            "Nothing was created: Chatwoot found no such account, inbox or contact, and does not say which. "
            "Check the ids."
        )
        return ToolFailure("not_found", text)
    return ToolFailure("not_found", "Nothing was created: Chatwoot does not know the source_id.", field="source_id")


def _no_contact(target: Target) -> ToolFailure:
    text = (
        f"Nothing was created: account {target.account_id} has no contact {target.contact_id}. Find or create the "
        "contact first."
    )
    return ToolFailure("not_found", text, field="contact_id")


def _source_id_invalid(target: Target) -> ToolFailure:
    """The form was checked before, where the inbox could be read: then another contact holds it."""
    rules = target.rules
    if rules is None:
        text = (
            "Nothing was created: the source_id does not have the form that this channel needs. Leave it out to have "
            "Chatwoot make it."
        )
        return ToolFailure("source_id_invalid", text, field="source_id")
    if target.source_id is not None:
        return source_id_taken()
    return ToolFailure("source_id_taken", f"Nothing was created: {anothers(rules)}", field="contact_id")


async def check_contact(target: Target, ctx: Context) -> list[str]:
    """For a dry run: what Chatwoot itself finds about the contact when it creates. Warnings where no look can tell.

    Raises the ToolFailure that the call would, and ChatwootError.
    """
    try:
        contact = await ctx.client.contacts.show(target.account_id, target.contact_id)
    except errors.NotFound:
        raise _no_contact(target) from None
    except ChatwootError as failure:
        if not unreadable(failure):
            raise
        return [
            "Not checked, as this token may not read contacts: contact_id, and whether it has what the inbox needs."
        ]
    if missing := _missing_of(contact, target):
        raise missing
    return []


async def missing_detail(target: Target, ctx: Context) -> ToolFailure | None:
    """After a 5xx that created nothing: 4.0 answers so where the contact lacks what a source_id is made from."""
    try:
        contact = await ctx.client.contacts.show(target.account_id, target.contact_id)
    except ChatwootError:
        return None
    return _missing_of(contact, target)


def _missing_of(contact: Contact, target: Target) -> ToolFailure | None:
    """Chatwoot makes a source_id of the contact's detail each time, whatever other one it has in the inbox."""
    needed = target.rules.minted_from if target.rules and target.source_id is None else None
    if needed is None or needed == "nothing" or getattr(contact, needed):
        return None
    return _contact_detail_missing(needed, target)


def _contact_detail_missing(detail: Literal["email", "phone_number"], target: Target) -> ToolFailure:
    what = "e-mail address" if detail == "email" else "phone number"
    text = (
        f"Nothing was created: contact {target.contact_id} has no {what}, which this inbox needs. Add it to the "
        "contact, or use another inbox."
    )
    return ToolFailure("contact_detail_missing", text, field="contact_id")
