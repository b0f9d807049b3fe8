"""Contacts, and their identities inside inboxes."""

from __future__ import annotations

from typing import Final, NamedTuple

from aiochatwoot.models import Contact, ContactCounts, ContactInbox, Conversation
from aiochatwoot.request import Json, Request, path
from aiochatwoot.resources._base import Resource, expect, parse

PER_PAGE: Final = 15
NEWEST: Final = 20
"""How many conversations Chatwoot gives of a contact."""


class ContactPage(NamedTuple):
    """A page of 15. ``total`` is None where Chatwoot does not count."""

    contacts: tuple[Contact, ...]
    total: int | None
    has_more: bool


class Contacts(Resource):
    async def show(self, account_id: int, contact_id: int) -> Contact:
        template = "/api/v1/accounts/{account_id}/contacts/{contact_id}"
        data = await self._get(path(template, account_id=account_id, contact_id=contact_id))
        return read_contact(data, contact_id)

    async def conversations(self, account_id: int, contact_id: int) -> tuple[Conversation, ...]:
        """The contact's conversations in every status: newest activity first, at most 20, no paging."""
        template = "/api/v1/accounts/{account_id}/contacts/{contact_id}/conversations"
        data = await self._get(path(template, account_id=account_id, contact_id=contact_id))
        found = parse(tuple[Conversation, ...], data, "payload")
        expect(all(each.meta.sender is None or each.meta.sender.id == contact_id for each in found))
        return found

    async def by_source_id(self, account_id: int, inbox_id: int, source_id: str) -> Contact:
        """The contact behind an identity in an inbox, or NotFound. A read, though Chatwoot takes it as POST."""
        where = path("/api/v1/accounts/{account_id}/contact_inboxes/filter", account_id=account_id)
        answer = await self._send(Request("POST", where, {"inbox_id": inbox_id, "source_id": source_id}))
        return parse(Contact, answer.data)

    async def search(self, account_id: int, text: str, page: int) -> ContactPage:
        """Contacts whose name, e-mail, phone number or identifier holds the text. At most 100 calls a minute."""
        return await self._search(account_id, (("q", text), ("page", str(page))), page)

    async def _search(self, account_id: int, query: tuple[tuple[str, str], ...], page: int = 1) -> ContactPage:
        data = await self._get(path("/api/v1/accounts/{account_id}/contacts/search", account_id=account_id), query)
        meta = parse(ContactCounts, data, "meta")
        found = parse(tuple[Contact, ...], data, "payload")
        if meta.has_more is None:  # before 4.11, where the count is that of all pages
            return ContactPage(found, meta.count, page * PER_PAGE < (meta.count or 0))
        return ContactPage(found, None, meta.has_more)

    async def newest_named(self, account_id: int, name: str) -> ContactPage:
        """The newest 15 whose name holds the text."""
        return await self._search(account_id, (("q", name), ("sort", "-created_at")))

    async def with_any(self, account_id: int, page: int, **values: str) -> ContactPage:
        """Contacts whose ``email``, ``phone_number`` or ``identifier`` equals one of the values, case ignored."""
        where = path("/api/v1/accounts/{account_id}/contacts/filter", account_id=account_id)
        # Chatwoot puts a plus in front of a phone number, before 4.7 also where there is one: without it all find it.
        sent = {key: value.removeprefix("+") if key == "phone_number" else value for key, value in values.items()}
        conditions = [
            {"attribute_key": key, "filter_operator": "equal_to", "values": [value], "query_operator": "OR"}
            for key, value in sent.items()
        ]
        body = {"payload": [*conditions[:-1], {**conditions[-1], "query_operator": None}]}
        data = (await self._send(Request("POST", where, body, query=(("page", str(page)),)))).data
        total = parse(ContactCounts, data, "meta").count or 0
        found = parse(tuple[Contact, ...], data, "payload")
        wanted = {(key, value.casefold()) for key, value in values.items()}
        expect(all(wanted & {(key, (getattr(each, key) or "").casefold()) for key in values} for each in found))
        return ContactPage(found, total, page * PER_PAGE < total)


def read_contact(data: Json, contact_id: int) -> Contact:
    """The contact, from an answer that is about it. Raises UnexpectedResponse."""
    contact = parse(Contact, data, "payload")
    expect(contact.id == contact_id)
    return contact


def read_created_contact(data: Json) -> Contact:
    """A contact as its creation answers it. Raises UnexpectedResponse."""
    return parse(Contact, data, "payload", "contact")


def read_source_id(data: Json) -> str:
    """The identity that was made in an inbox. Raises UnexpectedResponse."""
    return parse(ContactInbox, data).source_id
