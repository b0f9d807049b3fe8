"""The tool ``update_conversation``: each change to the endpoint that really makes it, then read back.

Chatwoot's PATCH ignores all of these with 200, its assignments endpoint ignores a team beside an agent, and a team
set after an agent clears the agent: so status, then team, then agent, each in a request of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.models import Conversation
from chatwoot_tools.accounts import resolve_account
from chatwoot_tools.attributes import Attributes
from chatwoot_tools.context import Context
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.inputs import Id, NameOrId, WriteInput
from chatwoot_tools.names import agent_called, id_in, team_called
from chatwoot_tools.text import clean_json
from chatwoot_tools.tool import Result, Tool
from chatwoot_tools.views import ConversationView, NotApplied, conversation_view

NOBODY: Final = "none"
FIELDS: Final = ("status", "team", "assignee", "custom_attributes")

_CHANGED = "Chatwoot, or an automation rule in it, set something else."


class UpdateConversation(WriteInput):
    conversation_id: Annotated[Id, Field(description="The number in the conversation's address.")]
    status: Annotated[Literal["open", "resolved", "pending"] | None, Field(description="New status.")] = None
    team: Annotated[NameOrId | None, Field(description="Name or id; none removes it.")] = None
    assignee: Annotated[NameOrId | None, Field(description="Agent's name, e-mail or id; none unassigns.")] = None
    custom_attributes: Annotated[Attributes | None, Field(description="Merged into those there are.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if not given.keys() & set(FIELDS):
            yield "status", f"or another change is required: {', '.join(FIELDS)}"


class UpdateConversationResult(Result):
    outcome: Literal["updated", "unchanged", "dry_run"]
    conversation: ConversationView
    applied: list[str]
    not_applied: list[NotApplied]
    warnings: list[str] | None = None
    raw: dict[str, Any] | None = None

    def headline(self) -> str:
        left = ", ".join(entry.field for entry in self.not_applied)
        done = ", ".join(self.applied) or "nothing"
        return f"Conversation {self.conversation.id}: applied {done}" + (f"; not {left}." if left else ".")


@dataclass(frozen=True, slots=True)
class _Change:
    """One field: what it is to be (None: nobody), how to read it, and the request that sets it."""

    field: str
    wanted: Any
    read: Callable[[Conversation], Any]
    write: Callable[[], Awaitable[None]]

    def is_so(self, conversation: Conversation) -> bool:
        return bool(self.read(conversation) == self.wanted)


async def update_conversation(args: UpdateConversation, ctx: Context) -> UpdateConversationResult:
    """Make the changes that are not so already, one request each, and report what the conversation then says."""
    account_id = await resolve_account(args.account_id, ctx)
    before = await _show(account_id, args.conversation_id, ctx)
    changes = await _changes(args, before, ctx)
    pending = [change for change in changes if not change.is_so(before)]
    if args.dry_run:
        return _result("dry_run", args, before, [], ctx, [f"Would change: {_fields(pending)}."])
    if not pending:
        return _result("unchanged", args, before, changes, ctx)
    await _write(pending)
    after = await _show(account_id, args.conversation_id, ctx)
    return _result("updated", args, after, changes, ctx, _side_effects(args, before, after))


async def _changes(args: UpdateConversation, before: Conversation, ctx: Context) -> list[_Change]:
    """The changes in the order that does not undo itself. Names are resolved here, before the first write."""
    where = (before.account_id, before.id)
    write = ctx.client.conversations
    changes: list[_Change] = []
    if (status := args.status) is not None:
        changes.append(_Change("status", status, lambda now: now.status, lambda: write.set_status(*where, status)))
    if args.team is not None:
        team_id = await _team_id(args.team, before.account_id, ctx)
        changes.append(_Change("team", team_id, _team_of, lambda: write.assign_team(*where, team_id)))
    if args.assignee is not None:
        agent_id = await _agent_id(args.assignee, before.account_id, ctx)
        changes.append(_Change("assignee", agent_id, _assignee_of, lambda: write.assign_agent(*where, agent_id)))
    if args.custom_attributes is not None:
        merged = {**before.custom_attributes, **args.custom_attributes}
        changes.append(
            _Change(
                "custom_attributes",
                merged,
                lambda now: now.custom_attributes,
                lambda: write.replace_custom_attributes(*where, merged),
            )
        )
    return changes


async def _team_id(wanted: str, account_id: int, ctx: Context) -> int | None:
    if wanted.casefold() == NOBODY:
        return None
    try:
        return team_called(wanted, await ctx.directory.teams(account_id)).id
    except errors.BotEndpointClosed:
        text = (
            "Nothing was changed. With a bot's token Chatwoot fails on conversations that have a team: leave team out."
        )
        raise ToolFailure("bot_not_allowed", text, field="team") from None


async def _agent_id(wanted: str, account_id: int, ctx: Context) -> int | None:
    """An unknown id would unassign, so it is looked up; a bot's token cannot, and its ids are read back instead."""
    if wanted.casefold() == NOBODY:
        return None
    try:
        return agent_called(wanted, await ctx.directory.agents(account_id)).id
    except errors.BotEndpointClosed:
        if (agent_id := id_in(wanted)) is not None:
            return agent_id
        text = "Nothing was changed. A bot's token cannot look names up: give the agent's id."
        raise ToolFailure("bot_not_allowed", text, field="assignee") from None


async def _write(changes: list[_Change]) -> None:
    done: list[_Change] = []
    for change in changes:
        try:
            await change.write()
        except errors.ChatwootError as failure:
            told = explain(failure)
            told.field = told.field or change.field
            # Setting the same value twice is setting it once: after any lost answer the same call may be made again.
            told.retryable = told.retryable or failure.effect is not errors.Effect.NONE
            told.text = f"{told.text} Changed before that: {_fields(done)}. Not known to be changed: {change.field}."
            raise told from None
        done.append(change)


async def _show(account_id: int, conversation_id: int, ctx: Context) -> Conversation:
    try:
        conversation = await ctx.client.conversations.show(account_id, conversation_id)
    except errors.NotFound:
        text = f"Account {account_id} has no conversation {conversation_id}, or is not the token's."
        raise ToolFailure("not_found", text, field="conversation_id", http_status=404) from None
    ctx.policy.check_inbox(conversation.inbox_id)
    return conversation


def _result(
    outcome: Literal["updated", "unchanged", "dry_run"],
    args: UpdateConversation,
    now: Conversation,
    changes: list[_Change],
    ctx: Context,
    warnings: list[str] | None = None,
) -> UpdateConversationResult:
    return UpdateConversationResult(
        outcome=outcome,
        conversation=conversation_view(now, ctx.client.base_url),
        applied=[change.field for change in changes if change.is_so(now)],
        not_applied=[
            NotApplied(field=each.field, asked=each.wanted or NOBODY, actual=each.read(now), reason=_CHANGED)
            for each in changes
            if not each.is_so(now)
        ],
        warnings=warnings or None,
        raw=clean_json(dict(now.raw)) if args.response_format == "detailed" else None,
    )


def _side_effects(args: UpdateConversation, before: Conversation, after: Conversation) -> list[str]:
    """What Chatwoot changed beside what was asked: a team clears its non-members, an agent who opens takes over."""
    warnings: list[str] = []
    if args.assignee is None and _assignee_of(before) != _assignee_of(after):
        now = f"agent {_assignee_of(after)}" if _assignee_of(after) else "nobody"
        warnings.append(f"Chatwoot also changed the assignee, who is {now} now.")
    if args.status is None and before.status != after.status:
        warnings.append(f"Chatwoot also changed the status, which is {after.status} now.")
    return warnings


def _team_of(conversation: Conversation) -> int | None:
    return conversation.meta.team.id if conversation.meta.team else None


def _assignee_of(conversation: Conversation) -> int | None:
    return conversation.meta.assignee.id if conversation.meta.assignee else None


def _fields(changes: list[_Change]) -> str:
    return ", ".join(change.field for change in changes) or "nothing"


UPDATE_CONVERSATION: Final = Tool(
    name="update_conversation",
    title="Change a conversation",
    description=(
        "Changes status, team, assignee or custom attributes of a conversation, then reads it back: applied and "
        "not_applied say what holds now. Resolving may send the customer a survey."
    ),
    toolset="core",
    input=UpdateConversation,
    output=UpdateConversationResult,
    run=update_conversation,
    destructive=True,
    idempotent=True,
)
