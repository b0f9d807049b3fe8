"""Who the token is, and the account."""

from __future__ import annotations

from aiochatwoot.models import Account, Profile
from aiochatwoot.request import Answer, Request, path
from aiochatwoot.resources._base import Resource, parse


class Accounts(Resource):
    async def profile(self) -> Profile:
        """Whose token it is. A bot's token raises BotEndpointClosed."""
        return parse(Profile, await self._get("/api/v1/profile"))

    async def show(self, account_id: int) -> Account:
        """The account; NotFound also when the person is not a member of it."""
        return parse(Account, await self._get(path("/api/v1/accounts/{account_id}", account_id=account_id)))

    async def about(self) -> Answer:
        """``GET /api``: Chatwoot's version, and its clock. Needs no token."""
        return await self._send(Request("GET", "/api"))
