"""Changes to a conversation: each a request to the endpoint that really makes it, in the order that undoes none.

Chatwoot's PATCH knows priority alone and ignores the rest with 200; its assignments endpoint ignores a team beside
an agent; a team set after an agent clears the agent; labels and custom attributes replace what was there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiochatwoot import errors, writes
from aiochatwoot.models import Conversation
from aiochatwoot.request import Request
from aiochatwoot.resources.conversations import read_conversation
from chatwoot_tools.context import Context
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.names import agent_called, id_in, label_called, team_called
from chatwoot_tools.views import NotApplied

NOBODY = "none"

_CHANGED = "Chatwoot, or an automation rule in it, set something else."


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it is to be (None: nothing), how to read it, and what sets it.

    ``write`` is None where another change's request sets this field as well.
    """

    field: str
    wanted: Any
    read: Callable[[Conversation], Any]
    write: Request | None

    def is_so(self, conversation: Conversation) -> bool:
        return bool(self.read(conversation) == self.wanted)

    def as_not_applied(self, conversation: Conversation) -> NotApplied:
        asked, actual = _shown(self.wanted), _shown(self.read(conversation))
        return NotApplied(field=self.field, asked=NOBODY if asked is None else asked, actual=actual, reason=_CHANGED)


def status_changes(account_id: int, conversation_id: int, status: str, until: datetime | None) -> list[Change]:
    seconds = None if until is None else int(until.timestamp())
    write = writes.set_status(account_id, conversation_id, status, seconds)
    changes = [Change("status", status, lambda now: now.status, write)]
    if until is not None:
        changes.append(Change("snoozed_until", until.replace(microsecond=0), lambda now: now.snoozed_until, None))
    return changes


def team_change(account_id: int, conversation_id: int, team_id: int | None) -> Change:
    return Change("team", team_id, team_of, writes.assign_team(account_id, conversation_id, team_id))


def assignee_change(account_id: int, conversation_id: int, agent_id: int | None) -> Change:
    return Change("assignee", agent_id, assignee_of, writes.assign_agent(account_id, conversation_id, agent_id))


def labels_change(account_id: int, conversation_id: int, labels: list[str], field: str = "labels") -> Change:
    write = writes.replace_labels(account_id, conversation_id, labels)
    return Change(field, sorted(labels), lambda now: sorted(now.labels), write)


def attributes_change(account_id: int, conversation_id: int, attributes: dict[str, Any]) -> Change:
    write = writes.replace_custom_attributes(account_id, conversation_id, attributes)
    return Change("custom_attributes", attributes, lambda now: now.custom_attributes, write)


def priority_change(account_id: int, conversation_id: int, priority: str | None) -> Change:
    """To be made last: its answer is the conversation, which saves reading it back."""
    write = writes.set_priority(account_id, conversation_id, priority)
    return Change("priority", priority, lambda now: now.priority, write)


def team_of(conversation: Conversation) -> int | None:
    return conversation.meta.team.id if conversation.meta.team else None


def assignee_of(conversation: Conversation) -> int | None:
    return conversation.meta.assignee.id if conversation.meta.assignee else None


async def make(
    change: Change, conversation_id: int, ctx: Context, alone_on: Conversation | None = None
) -> Conversation | None:
    """Send a change's request; gives the conversation as it is then, where Chatwoot's answer tells.

    ``alone_on``: the conversation just before, if this is its only change. Raises ChatwootError.
    """
    if change.write is None:
        return None
    answer = await ctx.client.perform(change.write)
    if change.field == "priority":
        return read_conversation(answer, conversation_id)
    if alone_on is None:
        return None
    match change.field, answer:
        case "labels", {"payload": [*labels]}:
            after = alone_on.model_copy(update={"labels": tuple(map(str, labels))})
        case "custom_attributes", {"custom_attributes": attributes}:
            after = alone_on.model_copy(update={"custom_attributes": attributes})
        case _:
            return None
    # These answers do not say which conversation they are about: only good news is taken from them.
    return after if change.is_so(after) else None


async def team_id_of(wanted: str, account_id: int, ctx: Context) -> int | None:
    """The team's id, None for none. Raises ToolFailure ``not_found``, ``ambiguous_name`` or ``bot_not_allowed``."""
    if wanted.casefold() == NOBODY:
        return None
    try:
        return team_called(wanted, await ctx.directory.teams(account_id)).id
    except errors.BotEndpointClosed:
        text = (
            "Nothing was changed. With a bot's token Chatwoot fails on conversations that have a team: leave team out."
        )
        raise ToolFailure("bot_not_allowed", text, field="team") from None


async def agent_id_of(wanted: str, account_id: int, ctx: Context) -> int | None:
    """The agent's id, None for nobody. An unknown id would unassign, so it is looked up; a bot's token cannot."""
    if wanted.casefold() == NOBODY:
        return None
    try:
        return agent_called(wanted, await ctx.directory.agents(account_id)).id
    except errors.BotEndpointClosed:
        if (agent_id := id_in(wanted)) is not None:
            return agent_id
        text = "Nothing was changed. A bot's token cannot look names up: give the agent's id."
        raise ToolFailure("bot_not_allowed", text, field="assignee") from None


async def titles_of(wanted: list[str], field: str, account_id: int, ctx: Context) -> list[str]:
    """The labels' titles; as they were given where the token may not list labels."""
    try:
        known = await ctx.directory.labels(account_id)
    except errors.BotEndpointClosed:
        return wanted
    return [label_called(each, known, field) for each in wanted]


async def show(account_id: int, conversation_id: int, ctx: Context) -> Conversation:
    """The conversation, if settings allow its inbox."""
    try:
        conversation = await ctx.client.conversations.show(account_id, conversation_id)
    except errors.NotFound:
        raise no_conversation(account_id, conversation_id) from None
    ctx.policy.check_inbox(conversation.inbox_id)
    return conversation


def no_conversation(account_id: int, conversation_id: int) -> ToolFailure:
    text = f"Account {account_id} has no conversation {conversation_id}, or is not the token's."
    return ToolFailure("not_found", text, field="conversation_id", http_status=404)


def explain_change(failure: errors.ChatwootError, change: Change) -> ToolFailure:
    """Setting the same value twice is setting it once: after any lost answer the same call may be made again."""
    told = explain(failure)
    told.field = told.field or change.field
    if failure.effect is not errors.Effect.NONE and not told.retryable:
        told.retryable = True
        told.text = f"{told.text} The same call may be made again."
    return told


def _shown(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
