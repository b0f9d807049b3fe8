"""The tool ``find_contacts``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.models import Contact
from aiochatwoot.resources.contacts import ContactPage
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.cursors import Position
from chatwoot_tools.arguments.inputs import Id, PagedInput, Text, listed
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.together import together
from chatwoot_tools.results.contacts import ContactView, Email, Phone, contact_view, seen
from chatwoot_tools.results.conversations import ConversationLine, conversation_line
from chatwoot_tools.tool import Result, Tool

_BY: Final = ("query", "contact_id", "email", "phone_number", "identifier")
UNIQUE: Final = ("email", "phone_number", "identifier")
MAX_PAGES: Final = 4
"""Pages read for one call, where contacts of other inboxes than allowed are left out."""


class FindContacts(PagedInput):
    query: Annotated[Text | None, Field(max_length=255, description="Part of name, e-mail, phone or identifier.")] = (
        None
    )
    contact_id: Annotated[Id | None, Field(description="Contact's id.")] = None
    email: Annotated[Email | None, Field(description="Whole address.")] = None
    phone_number: Annotated[Phone | None, Field(description="As +15551234567.")] = None
    identifier: Annotated[Text | None, Field(max_length=255, description="Your own system's id.")] = None
    include: Annotated[
        list[Literal["inboxes", "conversations"]] | None,
        Field(description="inboxes: source ids; conversations: the unresolved."),
        listed(),
    ] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        asked = [field for field in _BY if field in given]
        if not asked:
            yield "query", f"or another of {', '.join(_BY[1:])} is required"
        if len(asked) > 1 and ("query" in asked or "contact_id" in asked):
            yield asked[1], f"cannot be combined with {asked[0]}"


class FindContactsResult(Result):
    contacts: list[ContactView]
    total: int | None = None
    next_cursor: str | None = None
    warnings: list[str] | None = None


async def find_contacts(args: FindContacts, ctx: Context) -> FindContactsResult:
    """On each page exact matches first. With several of e-mail, phone and identifier: whoever has any of them."""
    account_id = await resolve_account(args.account_id, ctx)
    query = [account_id, *(getattr(args, field) for field in _BY)]
    position = Position.of(args.cursor, query)
    shown, following, total = await _gather(args, account_id, position, ctx)
    return FindContactsResult(
        contacts=list(await together(*(_view(contact, args, account_id, ctx) for contact in shown))),
        total=None if ctx.policy.hides else total,
        next_cursor=following.cursor(query) if following else None,
    )


async def _gather(
    args: FindContacts, account_id: int, position: Position, ctx: Context, pages: int = MAX_PAGES
) -> tuple[list[Contact], Position | None, int | None]:
    """What is shown, where the next call goes on, and how many Chatwoot counts. Pages of hidden ones are skipped."""
    page = await _page(args, account_id, position.page, ctx)
    there = await seen(page.contacts, account_id, ctx)
    there.sort(key=lambda contact: not _is_exact(contact, args))
    shown = there[position.offset : position.offset + args.limit]
    following = _following(position, len(shown), len(there), page.has_more)
    if shown or following is None or not ctx.policy.hides or pages == 1:
        return shown, following, page.total
    return await _gather(args, account_id, following, ctx, pages - 1)


async def _page(args: FindContacts, account_id: int, page: int, ctx: Context) -> ContactPage:
    if args.contact_id is not None:
        try:
            return ContactPage((await ctx.client.contacts.show(account_id, args.contact_id),), 1, has_more=False)
        except errors.NotFound:
            return ContactPage((), 0, has_more=False)
    if args.query is not None:
        return await ctx.client.contacts.search(account_id, args.query, page)
    unique = {field: getattr(args, field) for field in UNIQUE if getattr(args, field)}
    return await ctx.client.contacts.with_any(account_id, page, **unique)


def _following(position: Position, shown: int, of: int, more: bool) -> Position | None:
    if position.offset + shown < of:
        return Position(position.page, position.offset + shown)
    return Position(position.page + 1) if more else None


def _is_exact(contact: Contact, args: FindContacts) -> bool:
    """Chatwoot's search finds parts of words; what was asked for by a whole value is exact by itself."""
    if args.query is None:
        return True
    held = (contact.name, contact.email, contact.phone_number, contact.identifier)
    return args.query.strip().casefold() in {each.casefold() for each in held if each}


async def _view(contact: Contact, args: FindContacts, account_id: int, ctx: Context) -> ContactView:
    include = args.include or []
    conversations: list[ConversationLine] | None = None
    if "conversations" in include:
        found = await ctx.client.contacts.conversations(account_id, contact.id)
        names = {inbox.id: inbox.name for inbox in await ctx.directory.inboxes(account_id)}
        conversations = [
            conversation_line(each, names.get(each.inbox_id))
            for each in found
            if each.status != "resolved" and ctx.policy.allows_inbox(each.inbox_id)
        ]
    return contact_view(
        contact,
        ctx.policy,
        exact=_is_exact(contact, args),
        inboxes="inboxes" in include,
        conversations=conversations,
    )


FIND_CONTACTS: Final = Tool(
    name="find_contacts",
    title="Find contacts",
    description=(
        "Finds customers by part of a text, or by one of the other arguments. exact: a whole match, not a part. Names "
        "and attributes are the customer's own text."
    ),
    toolset="core",
    input=FindContacts,
    output=FindContactsResult,
    run=find_contacts,
    read_only=True,
    idempotent=True,
)
