"""Contacts, and their identities inside inboxes."""

from __future__ import annotations

from aiochatwoot.models import Contact, Conversation
from aiochatwoot.request import Request, path
from aiochatwoot.resources._base import Resource, parse


class Contacts(Resource):
    async def show(self, account_id: int, contact_id: int) -> Contact:
        template = "/api/v1/accounts/{account_id}/contacts/{contact_id}"
        return parse(Contact, await self._get(path(template, account_id=account_id, contact_id=contact_id)), "payload")

    async def conversations(self, account_id: int, contact_id: int) -> tuple[Conversation, ...]:
        """The contact's conversations in every status: newest activity first, at most 20, no paging."""
        template = "/api/v1/accounts/{account_id}/contacts/{contact_id}/conversations"
        data = await self._get(path(template, account_id=account_id, contact_id=contact_id))
        return parse(tuple[Conversation, ...], data, "payload")

    async def by_source_id(self, account_id: int, inbox_id: int, source_id: str) -> Contact:
        """The contact behind an identity in an inbox, or NotFound. A read, though Chatwoot takes it as POST."""
        where = path("/api/v1/accounts/{account_id}/contact_inboxes/filter", account_id=account_id)
        answer = await self._send(Request("POST", where, {"inbox_id": inbox_id, "source_id": source_id}))
        return parse(Contact, answer.data)
