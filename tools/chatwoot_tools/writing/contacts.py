"""Saving a contact: sent once, found again, and marked with the idempotency key that it was saved with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.errors import ChatwootError, Effect
from aiochatwoot.models import Contact, Inbox
from aiochatwoot.request import Request
from aiochatwoot.resources.contacts import read_contact, read_created_contact
from chatwoot_tools.call.context import Context
from chatwoot_tools.digest import same
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.results.contacts import owner_of, seen
from chatwoot_tools.writing import lost
from chatwoot_tools.writing.contact_inboxes import place_of_new
from chatwoot_tools.writing.stamp import Stamp, stamps_on

UNIQUE: Final = ("email", "phone_number", "identifier")
PLAIN: Final[tuple[str, ...]] = ("name", *UNIQUE)
MAPS: Final = ("additional_attributes", "custom_attributes")


@dataclass(frozen=True, slots=True)
class Saved:
    contact: Contact
    outcome: Literal["created", "updated", "unchanged", "recovered"]


async def save(
    wanted: dict[str, Any],
    existing: Contact | None,
    account_id: int,
    ctx: Context,
    mark: Stamp | None = None,
    inbox: Inbox | None = None,
) -> Saved:
    """Create, or change what differs; a lost answer is looked up. Raises ToolFailure and ChatwootError.

    The ``mark`` is put on the contact: of an idempotency key, or as nothing else would tell a contact without e-mail,
    phone number and identifier. The ``inbox`` is where a caller who is limited to inboxes makes it.
    """
    if existing is not None:
        return await _update(wanted, existing, account_id, ctx, mark)
    body = {**wanted, **(await place_of_new(wanted, inbox, account_id, ctx))}
    try:
        contact = read_created_contact(await ctx.client.perform(create_request(body, account_id, mark)))
        _check_answer(contact, wanted)
    except errors.Rejected as failure:
        return await _taken(failure, wanted, account_id, ctx, mark)
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise explain(failure, writing=True) from None
        if mark is None and not has_unique(wanted):
            raise _unknown(failure) from None

        async def find() -> Contact | None:
            if not has_unique(wanted) and mark is not None:
                return await find_marked(wanted, mark, account_id, ctx)
            found = await find_owner(wanted, account_id, ctx)
            if mark is not None:
                return found if found is not None and carries(found, mark) else None
            # Chatwoot itself writes into additional_attributes (company_name): they tell nothing.
            if found is not None and differences({**wanted, "additional_attributes": {}}, found):
                raise lost.Undecided  # somebody else may have saved it meanwhile
            return found

        return Saved(await _recover(failure, find, ctx), "recovered")
    return Saved(contact, "created")


async def _update(
    wanted: dict[str, Any], existing: Contact, account_id: int, ctx: Context, mark: Stamp | None
) -> Saved:
    request = update_request(wanted, existing, account_id, mark)
    if request is None:
        return Saved(existing, "unchanged")
    sent: dict[str, Any] = request.body
    try:
        contact = read_contact(await ctx.client.perform(request), existing.id)
        return Saved(contact, "updated" if differences(wanted, existing) else "unchanged")
    except errors.Rejected as failure:
        raise await _refused(failure, wanted, account_id, ctx) from None
    except ChatwootError as failure:
        if failure.effect is Effect.NONE:
            raise explain(failure, writing=True) from None

        async def find() -> Contact | None:
            now = await ctx.client.contacts.show(account_id, existing.id)
            if carries(now, mark) if mark else not differences(sent, now):
                return now
            if not same(_held(sent, now), _held(sent, existing)):
                raise lost.Undecided  # somebody else changed it meanwhile, perhaps after us
            return None

        return Saved(await _recover(failure, find, ctx), "recovered")


def create_request(wanted: dict[str, Any], account_id: int, mark: Stamp | None) -> Request:
    return writes.create_contact(account_id, mark.put_on(wanted) if mark else wanted)


def update_request(wanted: dict[str, Any], existing: Contact, account_id: int, mark: Stamp | None) -> Request | None:
    """What changes the contact and leaves the mark on it, also where nothing else differs: the key is used then too.

    Attributes are merged at their top level; before 4.7 the additional ones are replaced, so all of them are sent.
    """
    changed = differences(wanted, existing)
    additional = {**existing.additional_attributes, **changed.get("additional_attributes", {})}
    if mark is not None:
        additional = mark.beside(additional)
    if not same(additional, existing.additional_attributes):
        changed["additional_attributes"] = additional
    return writes.update_contact(account_id, existing.id, changed) if changed else None


async def find_owner(wanted: dict[str, Any], account_id: int, ctx: Context) -> Contact | None:
    return await owner_of({field: wanted[field] for field in UNIQUE if field in wanted}, account_id, ctx)


async def find_marked(wanted: dict[str, Any], mark: Stamp, account_id: int, ctx: Context) -> Contact | None:
    """The contact that carries the mark, among the newest of that name. Raises ``idempotency_conflict``.

    Raises lost.Undecided where it is not there and the search may not show it: before 4.11 Chatwoot, whose answer then
    has a total, finds no contact that has nothing but a name.
    """
    page = await ctx.client.contacts.newest_named(account_id, wanted["name"])
    for contact in page.contacts:
        if carries(contact, mark):
            if not await seen([contact], account_id, ctx):
                raise lost.out_of_sight()
            return contact
    if page.total is not None:
        raise lost.Undecided
    return None


def carries(contact: Contact, mark: Stamp) -> bool:
    """Whether the contact was saved with this key. Raises ``idempotency_conflict`` where with other arguments."""
    for each in stamps_on(contact.additional_attributes):
        if each.id == mark.id:
            lost.refuse_other_arguments(each.arguments, mark.arguments)
            return True
    return False


def has_unique(wanted: dict[str, Any]) -> bool:
    return any(field in wanted for field in UNIQUE)


def _check_answer(contact: Contact, wanted: dict[str, Any]) -> None:
    """A well-shaped answer about somebody else is no answer."""
    held = {field: (getattr(contact, field) or "").casefold() for field in PLAIN if field in wanted}
    if held != {field: wanted[field].casefold() for field in held}:
        raise errors.UnexpectedResponse("the answer is about another contact", http_status=200)


def differences(wanted: dict[str, Any], existing: Contact) -> dict[str, Any]:
    """What is not yet so; of the maps only the keys that differ."""
    changed = {field: wanted[field] for field in PLAIN if field in wanted and getattr(existing, field) != wanted[field]}
    for field in MAPS:
        held: dict[str, Any] = getattr(existing, field)
        new = {
            key: value for key, value in wanted.get(field, {}).items() if key not in held or not same(held[key], value)
        }
        if new:
            changed[field] = new
    return changed


def _held(asked: dict[str, Any], contact: Contact) -> dict[str, Any]:
    """What the contact has in the fields, and in the keys of the maps, that are asked for."""
    held: dict[str, Any] = {field: getattr(contact, field) for field in asked}
    for field in asked.keys() & set(MAPS):
        held[field] = {key: value for key, value in held[field].items() if key in asked[field]}
    return held


async def _taken(
    failure: errors.Rejected, wanted: dict[str, Any], account_id: int, ctx: Context, mark: Stamp | None
) -> Saved:
    """A create was refused. Where another process made the same contact in between, there is nothing left to do but
    to leave the mark."""
    told = await _refused(failure, wanted, account_id, ctx)
    try:
        owner = await find_owner(wanted, account_id, ctx)
    except (ChatwootError, ToolFailure):
        raise told from None
    if owner is not None and mark is not None and carries(owner, mark):
        return Saved(owner, "unchanged")
    if owner is None or differences(wanted, owner):
        raise told
    return await _update(wanted, owner, account_id, ctx, mark)


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
        whose, instead = f"contact {ids}", "Use that contact_id, or another value."
    elif ctx.policy.hides:
        whose, instead = "a contact that may not be used here", f"Use another value. {ctx.policy.allowing}"
    else:
        whose, instead = "another contact, which was not found", "Use its contact_id, or another value."
    text = f"Nothing was written: {' and '.join(taken)} belong to {whose}. {instead}"
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
