"""What an account has set up: labels, canned responses, custom attributes."""

from __future__ import annotations

from aiochatwoot.models import CannedResponse, CustomAttribute, Label
from aiochatwoot.request import path
from aiochatwoot.resources._base import Resource, parse


class Settings(Resource):
    async def labels(self, account_id: int) -> tuple[Label, ...]:
        data = await self._get(path("/api/v1/accounts/{account_id}/labels", account_id=account_id))
        return parse(tuple[Label, ...], data, "payload")

    async def canned_responses(self, account_id: int) -> tuple[CannedResponse, ...]:
        where = path("/api/v1/accounts/{account_id}/canned_responses", account_id=account_id)
        return parse(tuple[CannedResponse, ...], await self._get(where))

    async def custom_attributes(self, account_id: int) -> tuple[CustomAttribute, ...]:
        """The definitions, of conversations and of contacts."""
        where = path("/api/v1/accounts/{account_id}/custom_attribute_definitions", account_id=account_id)
        return parse(tuple[CustomAttribute, ...], await self._get(where))
