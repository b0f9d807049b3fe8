"""The tool ``save_contact``: create a contact, or update the one that has the e-mail, phone number or identifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from aiochatwoot import writes
from aiochatwoot.models import Contact, Inbox
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.attributes import not_ours
from chatwoot_tools.arguments.inputs import Id, JsonObject, Key, NameOrId, Text, WriteInput
from chatwoot_tools.arguments.names import inbox_called
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import Record, ledger_key
from chatwoot_tools.results.contacts import ContactView, Email, Phone, contact_view, show
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.results.requests import PreparedRequest, prepared
from chatwoot_tools.text import clean_json
from chatwoot_tools.tool import Result, Tool
from chatwoot_tools.writing import lost
from chatwoot_tools.writing.contact_inboxes import (
    Identity,
    identity_in,
    known_as,
    known_in,
    place_of_new,
    to_be,
    why_none,
)
from chatwoot_tools.writing.contacts import (
    MAPS,
    PLAIN,
    UNIQUE,
    Saved,
    carries,
    create_request,
    differences,
    find_marked,
    find_owner,
    has_unique,
    save,
    update_request,
)
from chatwoot_tools.writing.stamp import UNSTAMPED, Stamp

_CHANGED: Final = "Chatwoot set something else."
_UNSEARCHED: Final = (
    "idempotency_key: it works only within this server process, because this Chatwoot finds no contact by its name "
    "alone."
)
_NO_ID: Final = 0
"""In a dry run, of a contact that is yet to be made."""
_SINCE: Final = "It was saved with this idempotency_key before; this is how it is now. Nothing was written again."


class SaveContact(WriteInput):
    contact_id: Annotated[
        Id | None, Field(description="Contact to change; otherwise found by the next three, or created.")
    ] = None
    name: Annotated[Text | None, Field(max_length=255, description="New name.")] = None
    email: Annotated[Email | None, Field(description="E-mail address.")] = None
    phone_number: Annotated[Phone | None, Field(description="As +15551234567.")] = None
    identifier: Annotated[Text | None, Field(max_length=255, description="Your own system's id.")] = None
    additional_attributes: Annotated[
        Annotated[JsonObject, AfterValidator(not_ours)] | None, Field(description="Merged into those there are.")
    ] = None
    custom_attributes: Annotated[JsonObject | None, Field(description="Merged into those there are.")] = None
    inbox: Annotated[NameOrId | None, Field(description="Name or id; gives them a source_id there.")] = None
    idempotency_key: Annotated[Key | None, Field(description="A repeated call with it saves once.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if not given.keys() & {"contact_id", *PLAIN}:
            yield "name", f"or another of contact_id, {', '.join(UNIQUE)} is required"


class SaveContactResult(Result):
    outcome: Literal["created", "updated", "unchanged", "recovered", "dry_run"]
    contact: ContactView | None = None
    source_id: str | None = None
    requests: list[PreparedRequest] | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None


@dataclass(frozen=True, slots=True)
class _Before:
    """The contact as it is before anything is written. ``by_key``: the same key saved it, so nothing will be."""

    contact: Contact | None = None
    by_key: bool = False


async def save_contact(args: SaveContact, ctx: Context) -> SaveContactResult:
    account_id = await resolve_account(args.account_id, ctx)
    inbox = await _inbox(args, account_id, ctx)
    wanted = args.model_dump(include={*PLAIN, *MAPS}, exclude_none=True)
    key = ledger_key("contact", account_id, args.idempotency_key) if args.idempotency_key else None
    asked = {**wanted, "contact_id": args.contact_id, "inbox_id": inbox.id if inbox else None}
    stamp = Stamp.of(key, asked, ctx.scope)
    warnings = [UNSTAMPED] if key and not ctx.policy.stamp else []
    mark = stamp if ctx.policy.stamp and (key or not _is_known_by(args, wanted)) else None
    async with ctx.holding(key):
        before = await _before(args, stamp, account_id, key, ctx, warnings)
        if args.dry_run:
            return await _dry_run(wanted, before, mark, inbox, account_id, ctx, warnings)
        if before.contact is not None and before.by_key:
            saved = Saved(before.contact, "unchanged")
        else:
            saved = await save(wanted, before.contact, account_id, ctx, mark, inbox)
        if key:
            await ctx.ledger.put(key, Record(stamp.arguments, saved.contact.id))
    if saved.outcome == "recovered":
        warnings.append("Chatwoot's answer was lost; the contact was found again.")
    identity = await identity_in(inbox, saved.contact, account_id, ctx) if inbox else Identity()
    return SaveContactResult(
        outcome=saved.outcome,
        contact=contact_view(known_as(saved.contact, inbox, identity), ctx.policy, inboxes=True),
        source_id=identity.source_id,
        not_applied=_not_applied(wanted, saved.contact, _SINCE if before.by_key else _CHANGED),
        warnings=[*warnings, *([identity.warning] if identity.warning else [])] or None,
    )


def _is_known_by(args: SaveContact, wanted: dict[str, Any]) -> bool:
    """Whether the contact can be told from others without a mark of ours."""
    return args.contact_id is not None or has_unique(wanted)


async def _inbox(args: SaveContact, account_id: int, ctx: Context) -> Inbox | None:
    """The inbox asked for."""
    if args.inbox is None:
        return None
    return await inbox_called(args.inbox, account_id, ctx)


async def _before(
    args: SaveContact, stamp: Stamp, account_id: int, key: str | None, ctx: Context, warnings: list[str]
) -> _Before:
    """What there is, and whether the same key saved it: in this process by its ledger, in another by the mark."""
    if key and (record := await ctx.ledger.get(key)):
        lost.refuse_other_arguments(record.arguments, stamp.arguments)
        with lost.remembered():
            return _Before(await show(account_id, record.id, ctx), by_key=True)
    contact = await _existing(args, account_id, ctx)
    if key is None or not ctx.policy.stamp:
        return _Before(contact)
    if contact is not None:
        return _Before(contact, by_key=carries(contact, stamp))
    if args.name is None:
        return _Before()
    wanted = args.model_dump(include={*PLAIN}, exclude_none=True)
    try:
        # Also with an e-mail and the like: a colleague may have corrected them since.
        found = await find_marked(wanted, stamp, account_id, ctx)
    except lost.Undecided:
        if not has_unique(wanted):
            warnings.append(_UNSEARCHED)
        return _Before()
    return _Before(found, by_key=found is not None)


async def _existing(args: SaveContact, account_id: int, ctx: Context) -> Contact | None:
    wanted = args.model_dump(include={*PLAIN}, exclude_none=True)
    if args.contact_id is None:
        return await find_owner(wanted, account_id, ctx) if has_unique(wanted) else None
    return await show(account_id, args.contact_id, ctx)


async def _dry_run(
    wanted: dict[str, Any],
    before: _Before,
    mark: Stamp | None,
    inbox: Inbox | None,
    account_id: int,
    ctx: Context,
    warnings: list[str],
) -> SaveContactResult:
    """The very requests that the call would send."""
    contact, requests = before.contact, list[PreparedRequest]()
    place = await place_of_new(wanted, inbox, account_id, ctx) if contact is None else {}
    if contact is None:
        requests.append(prepared(create_request({**wanted, **place}, account_id, mark)))
    elif not before.by_key and (request := update_request(wanted, contact, account_id, mark)):
        requests.append(prepared(request))
    if inbox is not None and not place and known_in(inbox, contact) is None:
        new: dict[str, Any] = {} if before.by_key else {field: wanted[field] for field in UNIQUE if field in wanted}
        saved = contact.model_copy(update=new) if contact else to_be(new)
        if why := await why_none(inbox, saved, account_id, ctx):
            warnings = [*warnings, why]
        else:
            link = writes.add_contact_to_inbox(account_id, contact.id if contact else _NO_ID, inbox.id)
            requests.append(prepared(replace(link, path=link.path.replace(f"/{_NO_ID}/", "/{contact_id}/"))))
    return SaveContactResult(
        outcome="dry_run",
        contact=contact_view(contact, ctx.policy) if contact else None,
        requests=requests,
        not_applied=[],
        warnings=warnings or None,
    )


def _not_applied(wanted: dict[str, Any], contact: Contact, reason: str) -> list[NotApplied]:
    return [
        NotApplied(
            field=field,
            asked=clean_json(value, 200),
            actual=clean_json(getattr(contact, field), 200),
            reason=reason,
        )
        for field, value in differences(wanted, contact).items()
    ]


SAVE_CONTACT: Final = Tool(
    name="save_contact",
    title="Save a contact",
    description="Creates a customer, or updates the one who has this e-mail, phone number or identifier.",
    toolset="core",
    input=SaveContact,
    output=SaveContactResult,
    run=save_contact,
    destructive=True,
    idempotent=True,
)
