"""The tool ``save_contact``: create a contact, or update the one that has the e-mail, phone number or identifier."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError, Effect
from aiochatwoot.models import Contact, Inbox
from aiochatwoot.request import Request
from aiochatwoot.resources.contacts import read_contact, read_created_contact, read_source_id
from chatwoot_tools import lost
from chatwoot_tools.accounts import resolve_account
from chatwoot_tools.channels import channel_rules
from chatwoot_tools.contacts import ContactView, Email, Phone, contact_view, owner_of, seen, show
from chatwoot_tools.context import Context
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.inputs import Id, JsonObject, Key, NameOrId, Text, WriteInput
from chatwoot_tools.ledger import Record
from chatwoot_tools.names import inbox_called
from chatwoot_tools.stamp import Stamp, stamp_on
from chatwoot_tools.text import clean_json
from chatwoot_tools.tool import Result, Tool
from chatwoot_tools.views import NotApplied, PreparedRequest, prepared

UNIQUE: Final = ("email", "phone_number", "identifier")
_PLAIN: Final[tuple[str, ...]] = ("name", *UNIQUE)
_MAPS: Final = ("additional_attributes", "custom_attributes")
_CHANGED: Final = "Chatwoot set something else."
_SINCE: Final = "It was saved with this idempotency_key before, and is so now: nothing was written again."


class SaveContact(WriteInput):
    contact_id: Annotated[Id | None, Field(description="To change this one.")] = None
    name: Annotated[Text | None, Field(max_length=255, description="Name.")] = None
    email: Annotated[Email | None, Field(description="E-mail.")] = None
    phone_number: Annotated[Phone | None, Field(description="E.164.")] = None
    identifier: Annotated[Text | None, Field(max_length=255, description="Your own id of them.")] = None
    additional_attributes: Annotated[JsonObject | None, Field(description="Merged.")] = None
    custom_attributes: Annotated[JsonObject | None, Field(description="Merged.")] = None
    inbox: Annotated[NameOrId | None, Field(description="For their source_id.")] = None
    idempotency_key: Annotated[Key | None, Field(description="Same key: saved once.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if not given.keys() & {"contact_id", *_PLAIN}:
            yield "name", f"or another of contact_id, {', '.join(UNIQUE)} is required"


class SaveContactResult(Result):
    outcome: Literal["created", "updated", "unchanged", "recovered", "dry_run"]
    contact: ContactView | None = None
    source_id: str | None = None
    requests: list[PreparedRequest] | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    contact: Contact
    outcome: Literal["created", "updated", "unchanged", "recovered"]


async def save_contact(args: SaveContact, ctx: Context) -> SaveContactResult:
    account_id = await resolve_account(args.account_id, ctx)
    inbox = await _inbox(args, account_id, ctx)
    wanted = args.model_dump(include={*_PLAIN, *_MAPS}, exclude_none=True)
    stamp = Stamp.of(account_id, args.idempotency_key and f"contact:{args.idempotency_key}", wanted, ctx.scope)
    key = f"{account_id}:contact:{args.idempotency_key}" if args.idempotency_key else None
    warnings: list[str] = []
    async with ctx.holding(key):
        earlier = await _earlier(args, stamp, account_id, key, ctx, warnings)
        existing = earlier or await _existing(args, account_id, ctx)
        if args.dry_run:
            return _dry_run({} if earlier else wanted, existing, inbox, account_id, ctx)
        saved = Saved(earlier, "unchanged") if earlier else await save(wanted, existing, account_id, ctx, stamp, inbox)
        if key:
            await ctx.ledger.put(key, Record(stamp.arguments, saved.contact.id))
    source_id = await _source_id(saved.contact, inbox, account_id, ctx) if inbox else None
    return SaveContactResult(
        outcome=saved.outcome,
        contact=contact_view(saved.contact, ctx.policy, inboxes=True),
        source_id=source_id,
        not_applied=_not_applied(wanted, saved.contact, _SINCE if earlier else _CHANGED),
        warnings=[*warnings, *_warnings(args, saved, source_id, ctx)] or None,
    )


async def save(
    wanted: dict[str, Any],
    existing: Contact | None,
    account_id: int,
    ctx: Context,
    stamp: Stamp | None = None,
    inbox: Inbox | None = None,
) -> Saved:
    """Create, or change what differs; a lost answer is looked up. Raises ToolFailure and ChatwootError.

    A contact without e-mail, phone number or identifier is made with the ``stamp`` on it: nothing else would tell it.
    """
    if existing is not None:
        return await _update(wanted, existing, account_id, ctx)
    mark = stamp if ctx.policy.stamp and not any(field in wanted for field in UNIQUE) else None
    body = {**wanted, **_place(wanted, inbox, ctx)}
    try:
        answer = await ctx.client.perform(writes.create_contact(account_id, mark.put_on(body) if mark else body))
        contact = read_created_contact(answer)
        _check_answer(contact, wanted)
    except errors.Rejected as failure:
        return await _taken(failure, wanted, account_id, ctx)
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise explain(failure, writing=True) from None
        if mark is None and not _has_unique(wanted):
            raise _unknown(failure) from None

        async def find() -> Contact | None:
            if mark is not None:
                return await _stamped(wanted, mark, account_id, ctx)
            found = await _owner(wanted, account_id, ctx)
            # Chatwoot itself writes into additional_attributes (company_name): they tell nothing.
            if found is not None and _differences({**wanted, "additional_attributes": {}}, found):
                raise lost.Undecided  # somebody else may have saved it meanwhile
            return found

        return Saved(await _recover(failure, find, ctx), "recovered")
    return Saved(contact, "created")


def _place(wanted: dict[str, Any], inbox: Inbox | None, ctx: Context) -> dict[str, Any]:
    """A caller limited to inboxes makes a contact with an identity in one, or would not see it again."""
    if not ctx.policy.hides:
        return {}
    if inbox is not None and _is_made_there(inbox, wanted.get):
        return {"inbox_id": inbox.id}
    why = "is needed" if inbox is None else "is of a channel that needs another detail of them, or makes no source_id"
    text = f"Nothing was written: `inbox` {why}. A new contact has to be known in one that may be used here."
    raise ToolFailure("not_allowed", f"{text} {ctx.policy.allowing}", field="inbox")


def _is_made_there(inbox: Inbox, held: Callable[[str], Any]) -> bool:
    """Whether Chatwoot can make an identity there, of what is ``held``."""
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is None or rules.minted_from is None:
        return False
    return rules.minted_from == "nothing" or bool(held(rules.minted_from))


async def _update(wanted: dict[str, Any], existing: Contact, account_id: int, ctx: Context) -> Saved:
    changed = _differences(wanted, existing)
    if not changed:
        return Saved(existing, "unchanged")
    try:
        answer = await ctx.client.perform(writes.update_contact(account_id, existing.id, changed))
        return Saved(read_contact(answer, existing.id), "updated")
    except errors.Rejected as failure:
        raise await _refused(failure, wanted, account_id, ctx) from None
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise explain(failure, writing=True) from None

        async def find() -> Contact | None:
            now = await ctx.client.contacts.show(account_id, existing.id)
            return None if _differences(wanted, now) else now

        return Saved(await _recover(failure, find, ctx), "recovered")


async def _inbox(args: SaveContact, account_id: int, ctx: Context) -> Inbox | None:
    """The inbox asked for."""
    if args.inbox is None:
        return None
    return await inbox_called(args.inbox, account_id, ctx)


async def _earlier(
    args: SaveContact, stamp: Stamp, account_id: int, key: str | None, ctx: Context, warnings: list[str]
) -> Contact | None:
    """What the same key saved before: in this process by its ledger, in another by the stamp, where there is one."""
    if key is None:
        return None
    if record := await ctx.ledger.get(key):
        lost.refuse_other_arguments(record.arguments, stamp.arguments)
        with lost.remembered():
            return await show(account_id, record.id, ctx)
    wanted = args.model_dump(include={*_PLAIN}, exclude_none=True)
    if args.contact_id is not None or _has_unique(wanted):
        return None
    try:
        return await _stamped(wanted, stamp, account_id, ctx)
    except lost.Undecided:
        text = "it holds within this server process alone, as this Chatwoot finds no contact by its name alone."
        warnings.append(f"idempotency_key: {text}")
        return None


async def _existing(args: SaveContact, account_id: int, ctx: Context) -> Contact | None:
    wanted = args.model_dump(include={*_PLAIN}, exclude_none=True)
    if args.contact_id is None:
        return await _owner(wanted, account_id, ctx) if _has_unique(wanted) else None
    return await show(account_id, args.contact_id, ctx)


async def _owner(wanted: dict[str, Any], account_id: int, ctx: Context) -> Contact | None:
    return await owner_of({field: wanted[field] for field in UNIQUE if field in wanted}, account_id, ctx)


async def _stamped(wanted: dict[str, Any], stamp: Stamp, account_id: int, ctx: Context) -> Contact | None:
    """The contact that carries the stamp, among the newest of that name. Raises ``idempotency_conflict``.

    Raises lost.Undecided where it is not there and the search may not show it: before 4.11 Chatwoot, whose answer then
    has a total, finds no contact that has nothing but a name.
    """
    page = await ctx.client.contacts.newest_named(account_id, wanted["name"])
    for contact in page.contacts:
        found = stamp_on(contact.additional_attributes)
        if found is not None and found.id == stamp.id:
            lost.refuse_other_arguments(found.arguments, stamp.arguments)
            if not await seen([contact], account_id, ctx):
                raise lost.out_of_sight()
            return contact
    if page.total is not None:
        raise lost.Undecided
    return None


def _has_unique(wanted: dict[str, Any]) -> bool:
    return any(field in wanted for field in UNIQUE)


def _check_answer(contact: Contact, wanted: dict[str, Any]) -> None:
    """A well-shaped answer about somebody else is no answer."""
    held = {field: (getattr(contact, field) or "").casefold() for field in _PLAIN if field in wanted}
    if held != {field: wanted[field].casefold() for field in held}:
        raise errors.UnexpectedResponse("the answer is about another contact", http_status=200)


def _differences(wanted: dict[str, Any], existing: Contact) -> dict[str, Any]:
    """What has to be sent; of the maps only the keys that differ, as Chatwoot merges them."""
    changed = {
        field: wanted[field] for field in _PLAIN if field in wanted and getattr(existing, field) != wanted[field]
    }
    for field in _MAPS:
        held: dict[str, Any] = getattr(existing, field)
        new = {key: value for key, value in wanted.get(field, {}).items() if key not in held or held[key] != value}
        if new:
            changed[field] = new
    return changed


async def _taken(failure: errors.Rejected, wanted: dict[str, Any], account_id: int, ctx: Context) -> Saved:
    """A create was refused. Where another process made the same contact in between, there is nothing left to do."""
    told = await _refused(failure, wanted, account_id, ctx)
    try:
        owner = await _owner(wanted, account_id, ctx)
    except (ChatwootError, ToolFailure):
        raise told from None
    if owner is None or _differences(wanted, owner):
        raise told
    return Saved(owner, "unchanged")


async def _refused(failure: errors.Rejected, wanted: dict[str, Any], account_id: int, ctx: Context) -> ToolFailure:
    """Chatwoot says that something "has already been taken", and not by whom: a look tells."""
    if "already been taken" not in (failure.detail or ""):
        return explain(failure, writing=True)
    taken = {field: wanted[field] for field in failure.attributes if field in UNIQUE and field in wanted}
    try:
        having = (await ctx.client.contacts.with_any(account_id, 1, **taken)).contacts if taken else ()
        owners = await seen(having, account_id, ctx)
    except ChatwootError:
        owners = []
    ids = ", ".join(str(contact.id) for contact in owners)
    if ids:
        whose, instead = f"contact {ids}", "Use that contact_id, or another value"
    elif ctx.policy.hides:
        whose, instead = "a contact that may not be used here", f"Use another value. {ctx.policy.allowing}"
    else:
        whose, instead = "another contact, which was not found", "Use its contact_id, or another value"
    text = f"Nothing was written: {' and '.join(taken)} belong to {whose}. {instead.removesuffix('.')}."
    return ToolFailure("rejected", text, field=next(iter(taken), None), http_status=failure.http_status)


async def _recover(failure: ChatwootError, find: Callable[[], Awaitable[Contact | None]], ctx: Context) -> Contact:
    """Find out whether the contact was saved. Raises ToolFailure where it was not, or nobody can tell."""
    try:
        found = await lost.find_effect(find, failure, ctx)
    except lost.Undecided:
        raise _unknown(failure) from None
    if found is not None:
        return found
    text = "Chatwoot failed while saving the contact; a look showed that nothing was written. Try again."
    raise lost.nothing_done(failure, text)


def _unknown(failure: ChatwootError) -> ToolFailure:
    text = (
        "Chatwoot gave no usable answer, and whether the contact was saved is not known. Look with find_contacts "
        "before calling again."
    )
    return lost.outcome_unknown(failure, text, keyed=False)


async def _source_id(contact: Contact, inbox: Inbox, account_id: int, ctx: Context) -> str | None:
    """The contact's identity in the inbox, made by Chatwoot where there is none and the channel allows it."""
    known = [link.source_id for link in contact.contact_inboxes if link.inbox.id == inbox.id]
    if known:
        return known[-1]
    if not _is_made_there(inbox, lambda detail: getattr(contact, detail)):
        return None
    try:
        return read_source_id(await ctx.client.perform(writes.add_contact_to_inbox(account_id, contact.id, inbox.id)))
    except ChatwootError as error:
        if error.effect is Effect.NONE:
            return None  # the contact is saved all the same, and the warning says what is missing
        failure = error

    async def find() -> str | None:
        now = await ctx.client.contacts.show(account_id, contact.id)
        return next((link.source_id for link in now.contact_inboxes if link.inbox.id == inbox.id), None)

    try:
        return await lost.find_effect(find, failure, ctx)
    except lost.Undecided:
        return None


def _dry_run(
    wanted: dict[str, Any], existing: Contact | None, inbox: Inbox | None, account_id: int, ctx: Context
) -> SaveContactResult:
    request: Request | None = None
    if existing is None:
        request = writes.create_contact(account_id, {**wanted, **_place(wanted, inbox, ctx)})
    elif changed := _differences(wanted, existing):
        request = writes.update_contact(account_id, existing.id, changed)
    return SaveContactResult(
        outcome="dry_run",
        contact=contact_view(existing, ctx.policy) if existing else None,
        requests=[prepared(request)] if request else [],
        not_applied=[],
    )


def _not_applied(wanted: dict[str, Any], contact: Contact, reason: str) -> list[NotApplied]:
    return [
        NotApplied(
            field=field,
            asked=clean_json(value, 200),
            actual=clean_json(getattr(contact, field), 200),
            reason=reason,
        )
        for field, value in _differences(wanted, contact).items()
    ]


def _warnings(args: SaveContact, saved: Saved, source_id: str | None, ctx: Context) -> list[str]:
    warnings: list[str] = []
    if saved.outcome == "recovered":
        warnings.append("Chatwoot's answer was lost; the contact was found again.")
    if args.inbox is not None and source_id is None:
        warnings.append("The contact has no source_id in that inbox, and Chatwoot could not make one.")
    unmarked = not ctx.policy.stamp and not any(getattr(args, field) for field in UNIQUE)
    if args.idempotency_key and args.contact_id is None and unmarked:
        warnings.append("idempotency_key: it holds within this server process alone, as CHATWOOT_MCP_STAMP is off.")
    return warnings


SAVE_CONTACT: Final = Tool(
    name="save_contact",
    title="Save a contact",
    description="Creates a customer, or updates who has the e-mail, phone or identifier.",
    toolset="core",
    input=SaveContact,
    output=SaveContactResult,
    run=save_contact,
    destructive=True,
    idempotent=True,
)
