"""Conversations and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from aiochatwoot import writes
from aiochatwoot.models import Conversation, ConversationCounts, Message
from aiochatwoot.request import Json, Request, path
from aiochatwoot.resources._base import Resource, expect, parse

Condition = dict[str, Any]
"""``{attribute_key, filter_operator, values}``, as Chatwoot's filters take it."""


class Created(NamedTuple):
    """A conversation as the create call answered it, and Chatwoot's clock at that moment (the Date header)."""

    conversation: Conversation
    answered_at: datetime | None


class Conversations(Resource):
    async def create(self, account_id: int, body: dict[str, Any]) -> Created:
        answer = await self._send(writes.create_conversation(account_id, body))
        return Created(parse(Conversation, answer.data), answer.date)

    async def show(self, account_id: int, conversation_id: int) -> Conversation:
        return read_conversation(await self._get(_path(account_id, conversation_id)), conversation_id)

    async def page(
        self, account_id: int, query: tuple[tuple[str, str], ...], page: int
    ) -> tuple[tuple[Conversation, ...], ConversationCounts]:
        """A page of 25. Without a ``status`` only open ones; the counts do not heed ``assignee_type``."""
        where = path("/api/v1/accounts/{account_id}/conversations", account_id=account_id)
        data = await self._get(where, (*query, ("page", str(page))))
        found = parse(tuple[Conversation, ...], data, "data", "payload")
        return found, parse(ConversationCounts, data, "data", "meta")

    async def filter(
        self, account_id: int, conditions: list[Condition], page: int
    ) -> tuple[tuple[Conversation, ...], ConversationCounts]:
        """A page of 25 that meet all conditions, newest activity first. A read, though Chatwoot takes it as POST."""
        where = path("/api/v1/accounts/{account_id}/conversations/filter", account_id=account_id)
        joined = [{**condition, "query_operator": "AND"} for condition in conditions]
        joined[-1]["query_operator"] = None  # anything else there is an SQL error
        request = Request("POST", where, {"payload": joined}, query=(("page", str(page)),))
        data = (await self._send(request)).data
        found = parse(tuple[Conversation, ...], data, "payload")
        return found, parse(ConversationCounts, data, "meta")

    async def of_contact(self, account_id: int, contact_id: int, page: int) -> tuple[Conversation, ...]:
        """The contact's conversations by filter, 25 a page: the way to those beyond the newest 20.

        Before 4.15 Chatwoot does not know that filter: Rejected, ``is_of_key("contact_id")``.
        """
        condition = {"attribute_key": "contact_id", "filter_operator": "equal_to", "values": [contact_id]}
        return (await self.filter(account_id, [condition], page))[0]

    async def labels(self, account_id: int, conversation_id: int) -> tuple[str, ...]:
        """Its labels alone, which a bot's token may read (since 4.15) even where the conversation has a team."""
        return parse(tuple[str, ...], await self._get(_path(account_id, conversation_id, "/labels")), "payload")

    async def messages(self, account_id: int, conversation_id: int, before: int | None = None) -> tuple[Message, ...]:
        """The newest 20 messages (those before an id), oldest first, private notes and activities included."""
        query = () if before is None else (("before", str(before)),)
        data = await self._get(_path(account_id, conversation_id, "/messages"), query)
        found = parse(tuple[Message, ...], data, "payload")
        expect(all(message.conversation_id in (None, conversation_id) for message in found))
        return found


def read_conversation(data: Json, conversation_id: int) -> Conversation:
    """The conversation, from an answer that is about it. Raises UnexpectedResponse."""
    conversation = parse(Conversation, data)
    expect(conversation.id == conversation_id)
    return conversation


def read_message(data: Json, conversation_id: int) -> Message:
    """A message as its creation answers it, of this conversation. Raises UnexpectedResponse."""
    message = parse(Message, data)
    expect(message.conversation_id in (None, conversation_id))
    return message


def _path(account_id: int, conversation_id: int, rest: str = "") -> str:
    template = "/api/v1/accounts/{account_id}/conversations/{conversation_id}"
    return path(template, account_id=account_id, conversation_id=conversation_id) + rest
