"""Inboxes, and who works in them."""

from __future__ import annotations

from aiochatwoot.models import Agent, Inbox, InboxBot
from aiochatwoot.request import path
from aiochatwoot.resources._base import Resource, parse


class Inboxes(Resource):
    async def list(self, account_id: int) -> tuple[Inbox, ...]:
        """The inboxes that the token's owner may see, without paging."""
        data = await self._get(path("/api/v1/accounts/{account_id}/inboxes", account_id=account_id))
        return parse(tuple[Inbox, ...], data, "payload")

    async def members(self, account_id: int, inbox_id: int) -> tuple[Agent, ...]:
        template = "/api/v1/accounts/{account_id}/inbox_members/{inbox_id}"
        return parse(
            tuple[Agent, ...], await self._get(path(template, account_id=account_id, inbox_id=inbox_id)), "payload"
        )

    async def agent_bot(self, account_id: int, inbox_id: int) -> str | None:
        """The name of the bot that answers in the inbox, or None."""
        template = "/api/v1/accounts/{account_id}/inboxes/{inbox_id}/agent_bot"
        bot = parse(InboxBot, await self._get(path(template, account_id=account_id, inbox_id=inbox_id))).agent_bot
        return bot.name if bot else None

    async def assignable_agents(self, account_id: int, inbox_id: int) -> tuple[Agent, ...]:
        """Members of the inbox and the account's administrators."""
        where = path("/api/v1/accounts/{account_id}/assignable_agents", account_id=account_id)
        return parse(tuple[Agent, ...], await self._get(where, (("inbox_ids[]", str(inbox_id)),)), "payload")
