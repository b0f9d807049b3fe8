"""Who the token is, and the account."""

from __future__ import annotations

from pydantic import TypeAdapter

from aiochatwoot.models import Account, Profile
from aiochatwoot.request import Answer, Request, path
from aiochatwoot.resources._base import Resource, parse

_PROFILE = TypeAdapter(Profile)
_ACCOUNT = TypeAdapter(Account)


class Accounts(Resource):
    async def profile(self) -> Profile:
        """Whose token it is. A bot's token raises BotEndpointClosed."""
        return parse(_PROFILE, await self._get("/api/v1/profile"))

    async def show(self, account_id: int) -> Account:
        """The account; NotFound also when the person is not a member of it."""
        return parse(_ACCOUNT, await self._get(path("/api/v1/accounts/{account_id}", account_id=account_id)))

    async def about(self) -> Answer:
        """``GET /api``: Chatwoot's version, and its clock. Needs no token."""
        return await self._send(Request("GET", "/api"))
