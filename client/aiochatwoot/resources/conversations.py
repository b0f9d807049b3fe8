"""Conversations and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from aiochatwoot.models import Conversation, Message
from aiochatwoot.request import Request, path
from aiochatwoot.resources._base import Resource, parse


class Created(NamedTuple):
    """A conversation as the create call answered it, and Chatwoot's clock at that moment (the Date header)."""

    conversation: Conversation
    answered_at: datetime | None


class Conversations(Resource):
    async def create(self, account_id: int, body: dict[str, Any]) -> Created:
        """Open a conversation, or get an older one back where the inbox keeps a single one per contact.

        Sent once: after an error whose ``effect`` is not NONE, look before asking again.
        """
        answer = await self._send(Request("POST", create_path(account_id), body, is_write=True))
        return Created(parse(Conversation, answer.data), answer.date)

    async def show(self, account_id: int, conversation_id: int) -> Conversation:
        return parse(Conversation, await self._get(_path(account_id, conversation_id)))

    async def of_contact(self, account_id: int, contact_id: int, page: int) -> tuple[Conversation, ...]:
        """The contact's conversations by filter, 25 a page: the way to those beyond the newest 20."""
        where = path("/api/v1/accounts/{account_id}/conversations/filter", account_id=account_id)
        condition = {"attribute_key": "contact_id", "filter_operator": "equal_to", "values": [contact_id]}
        request = Request("POST", where, {"payload": [condition]}, query=(("page", str(page)),))
        return parse(tuple[Conversation, ...], (await self._send(request)).data, "payload")

    async def messages(self, account_id: int, conversation_id: int) -> tuple[Message, ...]:
        """The newest 20 messages, oldest first, private notes and activities included."""
        return parse(tuple[Message, ...], await self._get(_path(account_id, conversation_id, "/messages")), "payload")

    async def set_status(self, account_id: int, conversation_id: int, status: str) -> None:
        """Set the status. An agent's token that opens a conversation takes it over from its assignee."""
        await self._write(_path(account_id, conversation_id, "/toggle_status"), {"status": status})

    async def assign_agent(self, account_id: int, conversation_id: int, assignee_id: int | None) -> None:
        """Assign an agent, or nobody. An unknown id unassigns, so look it up first."""
        await self._write(_path(account_id, conversation_id, "/assignments"), {"assignee_id": assignee_id})

    async def assign_team(self, account_id: int, conversation_id: int, team_id: int | None) -> None:
        """Assign a team or none, which clears an assignee outside it. An unknown id removes the team."""
        await self._write(_path(account_id, conversation_id, "/assignments"), {"team_id": team_id})

    async def replace_custom_attributes(
        self, account_id: int, conversation_id: int, attributes: dict[str, Any]
    ) -> None:
        """Replace the whole map."""
        where = _path(account_id, conversation_id, "/custom_attributes")
        await self._write(where, {"custom_attributes": attributes})


def create_path(account_id: int) -> str:
    """Where conversations are created."""
    return path("/api/v1/accounts/{account_id}/conversations", account_id=account_id)


def _path(account_id: int, conversation_id: int, rest: str = "") -> str:
    template = "/api/v1/accounts/{account_id}/conversations/{conversation_id}"
    return path(template, account_id=account_id, conversation_id=conversation_id) + rest
