"""The tool ``find_conversations``.

Chatwoot has two lists: one that sorts, searches text and knows "mine"; one that filters by contact, agent and
dates. What only one of them can do is not combined with what only the other can.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.models import Conversation, ConversationCounts
from aiochatwoot.resources.contacts import NEWEST
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.cursors import Position
from chatwoot_tools.arguments.inputs import Id, NameOrId, PagedInput, Text, Titles
from chatwoot_tools.arguments.names import agent_called, inbox_called, team_called
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.results.conversations import ConversationLine, conversation_line
from chatwoot_tools.tool import Result, Tool
from chatwoot_tools.writing import changes
from chatwoot_tools.writing.changes import NOBODY, Nobody

PER_PAGE: Final = 25
MAX_PAGES: Final = 4
"""Pages read for one call, where entries of other inboxes than allowed are left out."""
_SORTS: Final = {
    "last_activity": "last_activity_at_desc",
    "newest": "created_at_desc",
    "oldest": "created_at_asc",
    "priority": "priority_desc",
    "longest_waiting": "waiting_since_asc",
}
_ONLY_FILTER: Final = ("contact_id", "created_after", "created_before")
_ONLY_LIST: Final = ("query", "sort")


class FindConversations(PagedInput):
    status: Annotated[Literal["open", "resolved", "pending", "snoozed", "all"], Field(description="Default: open.")] = (
        "open"
    )
    inbox: Annotated[NameOrId | None, Field(description="Name or id.")] = None
    team: Annotated[NameOrId | None, Field(description="Name, id or none.")] = None
    assignee: Annotated[NameOrId | None, Field(description="me, none, name, e-mail or id.")] = None
    labels: Annotated[Titles | None, Field(description="Any of these.")] = None
    contact_id: Annotated[Id | None, Field(description="Customer's id.")] = None
    query: Annotated[Text | None, Field(max_length=255, description="Text in their messages.")] = None
    created_after: Annotated[date | None, Field(description="YYYY-MM-DD, that day excluded.")] = None
    created_before: Annotated[date | None, Field(description="YYYY-MM-DD, that day excluded.")] = None
    sort: Annotated[
        Literal["last_activity", "newest", "oldest", "priority", "longest_waiting"] | None,
        Field(description="Default: last_activity."),
    ] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        by_filter: list[str] = [field for field in _ONLY_FILTER if field in given]
        if changes.is_nobody(given.get("team")):
            by_filter.append("team none")
        for field in _ONLY_LIST:
            if field in given and by_filter:
                yield field, f"cannot be combined with {by_filter[0]} in Chatwoot: leave one out"


class FindConversationsResult(Result):
    conversations: list[ConversationLine]
    total: int | None = None
    next_cursor: str | None = None
    narrow: str | None = None
    warnings: list[str] | None = None


async def find_conversations(args: FindConversations, ctx: Context) -> FindConversationsResult:
    account_id = await resolve_account(args.account_id, ctx)
    asked = args.model_dump(mode="json", exclude={"cursor", "limit", "account_id"}, exclude_none=True)
    query = [account_id, asked]
    position = Position.of(args.cursor, query)
    search = await _Search.of(args, account_id, ctx)
    shown: list[Conversation] = []
    following: Position | None = position
    total: int | None = None
    for _ in range(MAX_PAGES):
        if following is None or len(shown) >= args.limit:
            break
        page, counts = await search.page(following.page)
        total = search.total(counts)
        following = _take(page, following, args.limit, shown, search, search.listed(counts))
    names = {inbox.id: inbox.name for inbox in await ctx.directory.inboxes(account_id)}
    return FindConversationsResult(
        conversations=[conversation_line(each, names.get(each.inbox_id)) for each in shown],
        total=total,
        next_cursor=following.cursor(query) if following else None,
        narrow=_how_to_narrow(args, is_more=following.offset > 0) if following and total is None else None,
        warnings=search.warnings or None,
    )


def _take(
    page: tuple[Conversation, ...],
    position: Position,
    limit: int,
    shown: list[Conversation],
    search: _Search,
    listed: int | None,
) -> Position | None:
    """Move what fits from a page to ``shown``; gives where the next call goes on: at one that is wanted, or at the
    beginning of a page of which that is not known."""
    # Counted are those that are shown: a cursor can be read, and must not tell how many are hidden.
    wanted = [conversation for conversation in page if search.wants(conversation)][position.offset :]
    room = limit - len(shown)
    shown += wanted[:room]
    if wanted[room:]:
        return Position(position.page, position.offset + room)
    is_last = len(page) < PER_PAGE or (listed is not None and listed <= position.page * PER_PAGE)
    return None if is_last else Position(position.page + 1)


class _Search:
    """The call's criteria, resolved to ids, on whichever of Chatwoot's lists can serve them."""

    def __init__(self, args: FindConversations, account_id: int, ctx: Context) -> None:
        self._args = args
        self._account_id = account_id
        self._ctx = ctx
        self._inbox: int | None = None
        self._team: int | Nobody | None = None
        self._agent: int | None = None
        self._labels: list[str] = []
        self.warnings: list[str] = []

    @classmethod
    async def of(cls, args: FindConversations, account_id: int, ctx: Context) -> _Search:
        """Names are resolved here. Raises ToolFailure ``not_found``, ``ambiguous_name`` or ``not_allowed``.

        And ChatwootError: a bot's token may not look names up, nor could it list conversations.
        """
        search = cls(args, account_id, ctx)
        allowed = ctx.policy.allowed_inboxes
        if args.inbox is not None:
            search._inbox = (await inbox_called(args.inbox, account_id, ctx)).id
        elif allowed is not None and len(allowed) == 1:
            (search._inbox,) = allowed
        elif allowed is not None and args.query is not None:
            # Where the found ones lie on Chatwoot's pages would tell of hidden ones with that text.
            text = f"Nothing was sent: where inboxes are limited, `query` needs `inbox`. {ctx.policy.allowing}"
            raise ToolFailure("invalid_arguments", text, field="inbox")
        if args.team is not None:
            is_nobody = changes.is_nobody(args.team)
            search._team = NOBODY if is_nobody else team_called(args.team, await ctx.directory.teams(account_id)).id
        if search._whose == "me" and search.by_filter:
            search._agent = (await ctx.directory.profile()).id
        if args.assignee is not None and search._whose not in {"me", NOBODY}:
            search._agent = agent_called(args.assignee, await ctx.directory.agents(account_id)).id
        search._labels = await changes.titles_of(args.labels or [], "labels", account_id, ctx)
        return search

    @property
    def _whose(self) -> str:
        """The assignee that was asked for, as one word where it is one."""
        return (self._args.assignee or "").strip().casefold()

    @property
    def by_filter(self) -> bool:
        if any(getattr(self._args, field) is not None for field in _ONLY_LIST):
            return False
        by_filter = any(getattr(self._args, field) is not None for field in _ONLY_FILTER)
        by_filter = by_filter or (self._ctx.policy.hides and self._inbox is None)
        return by_filter or self._agent is not None or self._team == NOBODY

    def wants(self, conversation: Conversation) -> bool:
        """Chatwoot's text search heeds no status, its lists know no allow-list, and "mine" is not among its filters."""
        if not self._ctx.policy.allows_inbox(conversation.inbox_id):
            return False
        if self._args.status not in {"all", conversation.status}:
            return False
        return self._agent is None or changes.assignee_of(conversation) == self._agent

    async def page(self, number: int) -> tuple[tuple[Conversation, ...], ConversationCounts]:
        conversations = self._ctx.client.conversations
        if self._ctx.policy.allowed_inboxes == frozenset():
            return (), ConversationCounts()
        if not self.by_filter:
            return await conversations.page(self._account_id, self._query(), number)
        try:
            return await conversations.filter(self._account_id, self._conditions(), number)
        except errors.Rejected as refusal:
            if self._args.contact_id is None or not refusal.is_of_key("contact_id"):
                raise
            return await self._newest_of(self._args.contact_id)

    async def _newest_of(self, contact_id: int) -> tuple[tuple[Conversation, ...], ConversationCounts]:
        """Before 4.15 no filter knows the contact: of the newest 20 of theirs, those that fit."""
        try:
            newest = await self._ctx.client.contacts.conversations(self._account_id, contact_id)
        except errors.NotFound:
            newest = ()
        if self._ctx.policy.hides and not any(self._ctx.policy.allows_inbox(each.inbox_id) for each in newest):
            newest = ()  # a hidden customer, of whom nothing is told
        found = tuple(conversation for conversation in newest if self._fits(conversation))
        if len(newest) < NEWEST:
            return found, ConversationCounts(all_count=len(found))
        self.warnings = [
            f"This Chatwoot (before 4.15) gives a customer's {NEWEST} most recently active conversations alone: others "
            "were not looked through."
        ]
        return found, ConversationCounts()

    def _fits(self, conversation: Conversation) -> bool:
        """All conditions but those of ``wants``."""
        args = self._args
        created_on = conversation.created_at.date() if conversation.created_at else date.min
        nobody = (args.assignee or "").casefold() == "none"
        titles = {title.casefold() for title in conversation.labels}
        return (
            self.wants(conversation)
            and self._inbox in {None, conversation.inbox_id}
            and self._team in {None, changes.team_of(conversation)}
            and not (nobody and changes.assignee_of(conversation) is not None)
            and not (self._labels and titles.isdisjoint(title.casefold() for title in self._labels))
            and not (args.created_after and created_on <= args.created_after)
            and not (args.created_before and created_on >= args.created_before)
        )

    def total(self, counts: ConversationCounts) -> int | None:
        """How many there are in all, where nothing is left out of what Chatwoot lists."""
        if self._ctx.policy.hides and self._inbox is None:
            return None
        return None if self._agent is not None and not self.by_filter else self.listed(counts)

    def listed(self, counts: ConversationCounts) -> int | None:
        """How many Chatwoot lists on all pages. With a text to search it counts those of the page alone."""
        if self._args.query is not None:
            return None
        if self.by_filter or self._agent is not None:
            return counts.all_count
        match self._whose:
            case "me":
                return counts.mine_count
            case "none":
                return counts.unassigned_count
            case _:
                return counts.all_count

    def _query(self) -> tuple[tuple[str, str], ...]:
        args = self._args
        query = [("status", args.status), ("sort_by", _SORTS[args.sort or "last_activity"])]
        if args.assignee is not None and self._agent is None:
            query.append(("assignee_type", "me" if self._whose == "me" else "unassigned"))
        if args.query is not None:
            query.append(("q", args.query))
        query += [(name, str(value)) for name, value in (("inbox_id", self._inbox), ("team_id", self._team)) if value]
        return (*query, *(("labels[]", label) for label in self._labels))

    def _conditions(self) -> list[dict[str, Any]]:
        args = self._args
        one = {
            "status": None if args.status == "all" else args.status,
            "inbox_id": self._inbox,
            "team_id": None if self._team == NOBODY else self._team,
            "assignee_id": self._agent,
            "contact_id": args.contact_id,
        }
        conditions = [_condition(key, "equal_to", [value]) for key, value in one.items() if value is not None]
        if self._inbox is None and self._ctx.policy.allowed_inboxes is not None:
            conditions.append(_condition("inbox_id", "equal_to", sorted(self._ctx.policy.allowed_inboxes)))
        if self._labels:
            conditions.append(_condition("labels", "equal_to", self._labels))
        nobody = {"team_id": self._team == NOBODY, "assignee_id": self._whose == NOBODY}
        conditions += [_condition(key, "is_not_present", []) for key, wanted in nobody.items() if wanted]
        if args.created_after is not None:
            conditions.append(_condition("created_at", "is_greater_than", [args.created_after.isoformat()]))
        if args.created_before is not None:
            conditions.append(_condition("created_at", "is_less_than", [args.created_before.isoformat()]))
        return conditions or [_condition("status", "equal_to", ["all"])]


def _condition(key: str, operator: str, values: list[Any]) -> dict[str, Any]:
    return {"attribute_key": key, "filter_operator": operator, "values": values}


def _how_to_narrow(args: FindConversations, *, is_more: bool) -> str:
    free = [field for field in ("inbox", "team", "assignee", "labels") if getattr(args, field) is None]
    there = "There are more than these" if is_more else "There may be more than these"
    return f"{there}; narrow by {', '.join(free)}." if free else f"{there}."


FIND_CONVERSATIONS: Final = Tool(
    name="find_conversations",
    title="Find conversations",
    description="Lists conversations that fit all filters. last_message is its author's own text.",
    toolset="core",
    input=FindConversations,
    output=FindConversationsResult,
    run=find_conversations,
    read_only=True,
    idempotent=True,
)
