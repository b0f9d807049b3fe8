"""The account's agents and teams."""

from __future__ import annotations

from aiochatwoot.models import Agent, Team
from aiochatwoot.request import path
from aiochatwoot.resources._base import Resource, parse


class Agents(Resource):
    async def list(self, account_id: int) -> tuple[Agent, ...]:
        """Every agent and administrator of the account."""
        return parse(
            tuple[Agent, ...], await self._get(path("/api/v1/accounts/{account_id}/agents", account_id=account_id))
        )


class Teams(Resource):
    async def list(self, account_id: int) -> tuple[Team, ...]:
        return parse(
            tuple[Team, ...], await self._get(path("/api/v1/accounts/{account_id}/teams", account_id=account_id))
        )

    async def members(self, account_id: int, team_id: int) -> tuple[Agent, ...]:
        template = "/api/v1/accounts/{account_id}/teams/{team_id}/team_members"
        return parse(tuple[Agent, ...], await self._get(path(template, account_id=account_id, team_id=team_id)))
