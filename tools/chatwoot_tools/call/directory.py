"""What a call needs to know of the account, looked up once a minute and shared; who a customer is, each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from aiochatwoot import Budget, Chatwoot
from aiochatwoot.errors import BotEndpointClosed, NotFound
from aiochatwoot.models import Account, Agent, CannedResponse, CustomAttribute, Inbox, Label, Profile, Team
from chatwoot_tools.call.cache import Cache

T = TypeVar("T")


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=_HasId)
Item_co = TypeVar("Item_co", bound=_HasId, covariant=True)


class _Read(Protocol[Item_co]):
    def __call__(self, *, refresh: bool) -> Awaitable[Sequence[Item_co]]: ...


async def list_with(wanted: int, read: _Read[Item]) -> Sequence[Item]:
    """The kept list if it holds this id, else a fresh one: the kept one may be too old to know it."""
    kept = await read(refresh=False)
    return kept if any(item.id == wanted for item in kept) else await read(refresh=True)


class Directory:
    """One call's view of the shared cache. Every method may raise any ChatwootError.

    ``refresh`` asks for an answer no older than the call itself: what a check does before it refuses an id that a
    kept list does not hold. ``allows`` tells which inboxes may be used: there are no others.
    """

    def __init__(self, client: Chatwoot, cache: Cache, budget: Budget, allows: Callable[[int], bool]) -> None:
        self._client = client
        self._cache = cache
        self._budget = budget
        self._allows = allows
        self._started = cache.now()

    async def profile(self) -> Profile:
        return await self._get(("profile",), self._client.accounts.profile)

    async def inboxes(self, account_id: int, *, refresh: bool = False) -> tuple[Inbox, ...]:
        found = await self._get(("inboxes", account_id), lambda: self._client.inboxes.list(account_id), refresh)
        return tuple(inbox for inbox in found if self._allows(inbox.id))

    async def inbox(self, account_id: int, inbox_id: int) -> Inbox | None:
        """The inbox, or None where the token's owner sees none of that id, or may not use it here."""
        inboxes = await list_with(inbox_id, partial(self.inboxes, account_id))
        return next((inbox for inbox in inboxes if inbox.id == inbox_id), None)

    async def assignable_agents(self, account_id: int, inbox_id: int, *, refresh: bool = False) -> tuple[Agent, ...]:
        """Members of the inbox and administrators."""
        key = ("assignable", account_id, inbox_id)
        return await self._get(key, lambda: self._client.inboxes.assignable_agents(account_id, inbox_id), refresh)

    async def agents(self, account_id: int, *, refresh: bool = False) -> tuple[Agent, ...]:
        return await self._get(("agents", account_id), lambda: self._client.agents.list(account_id), refresh)

    async def teams(self, account_id: int, *, refresh: bool = False) -> tuple[Team, ...]:
        return await self._get(("teams", account_id), lambda: self._client.teams.list(account_id), refresh)

    async def team_members(self, account_id: int, team_id: int, *, refresh: bool = False) -> tuple[Agent, ...]:
        key = ("team_members", account_id, team_id)
        return await self._get(key, lambda: self._client.teams.members(account_id, team_id), refresh)

    async def labels(self, account_id: int) -> tuple[Label, ...]:
        return await self._get(("labels", account_id), lambda: self._client.settings.labels(account_id))

    async def canned_responses(self, account_id: int) -> tuple[CannedResponse, ...]:
        key = ("canned_responses", account_id)
        return await self._get(key, lambda: self._client.settings.canned_responses(account_id))

    async def custom_attributes(self, account_id: int) -> tuple[CustomAttribute, ...]:
        key = ("custom_attributes", account_id)
        return await self._get(key, lambda: self._client.settings.custom_attributes(account_id))

    async def agent_bot(self, account_id: int, inbox_id: int) -> str | None:
        """The name of the bot that answers in the inbox."""
        key = ("agent_bot", account_id, inbox_id)
        return await self._get(key, lambda: self._client.inboxes.agent_bot(account_id, inbox_id))

    async def account(self, account_id: int) -> Account:
        return await self._get(("account", account_id), lambda: self._client.accounts.show(account_id))

    async def role(self, account_id: int) -> str | None:
        """The token's role in the account: administrator, agent, or bot."""
        try:
            profile = await self.profile()
        except BotEndpointClosed:
            return "bot"
        return next((account.role for account in profile.accounts if account.id == account_id), None)

    async def source_owner(self, account_id: int, inbox_id: int, source_id: str) -> int | None:
        """The id of the contact that has this identity in the inbox, or None. Asked anew by each call: it decides who
        gets a message, and contacts are merged, deleted and changed by others."""
        try:
            return (await self._client.contacts.by_source_id(account_id, inbox_id, source_id)).id
        except NotFound:
            return None

    async def _get(self, key: Hashable, fetch: Callable[[], Awaitable[T]], refresh: bool = False) -> T:
        return await self._cache.get(key, fetch, self._budget, not_before=self._started if refresh else 0.0)
