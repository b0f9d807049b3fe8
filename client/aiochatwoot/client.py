"""The client: one attribute per family of endpoints, each of its methods one read; writes are values of ``writes``.

Where an endpoint is added: a method in the family's module under ``resources``, its answer in ``models``.
"""

from __future__ import annotations

import math
from typing import Self

from aiochatwoot.budget import Budget
from aiochatwoot.request import Json, Request
from aiochatwoot.resources.accounts import Accounts
from aiochatwoot.resources.agents import Agents, Teams
from aiochatwoot.resources.contacts import Contacts
from aiochatwoot.resources.conversations import Conversations
from aiochatwoot.resources.inboxes import Inboxes
from aiochatwoot.resources.settings import Settings
from aiochatwoot.transport import Transport


class Chatwoot:
    """One Chatwoot, with one token. Every method may raise any ChatwootError."""

    def __init__(self, transport: Transport, budget: Budget | None = None) -> None:
        budget = budget or Budget(math.inf)
        self._transport = transport
        self._budget = budget
        self.accounts = Accounts(transport, budget)
        self.agents = Agents(transport, budget)
        self.contacts = Contacts(transport, budget)
        self.conversations = Conversations(transport, budget)
        self.inboxes = Inboxes(transport, budget)
        self.settings = Settings(transport, budget)
        self.teams = Teams(transport, budget)

    def __repr__(self) -> str:
        return f"Chatwoot({self.base_url})"

    @property
    def base_url(self) -> str:
        """The address of the Chatwoot, without a trailing slash."""
        return self._transport.base_url

    @property
    def is_down(self) -> bool:
        """Whether Chatwoot counts as down, so that requests fail at once."""
        return self._transport.limits.circuit.is_open

    async def perform(self, write: Request) -> Json:
        """Send a write of ``writes``; gives Chatwoot's answer, None where it is empty."""
        return (await self._transport.send(write, self._budget)).data

    def within(self, budget: Budget) -> Chatwoot:
        """The same client, over the same connections, whose requests spend the given budget."""
        return Chatwoot(self._transport, budget)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
