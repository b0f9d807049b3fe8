"""Changes to a conversation: each a request to the endpoint that really makes it, in the order that undoes none.

Chatwoot's PATCH knows priority alone and ignores the rest with 200; its assignments endpoint ignores a team beside
an agent; a team set after an agent clears the agent; labels and custom attributes replace what was there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from aiochatwoot import errors, writes
from aiochatwoot.models import Conversation
from aiochatwoot.request import Request
from aiochatwoot.resources.conversations import read_conversation
from chatwoot_tools.arguments.names import agent_called, id_in, label_called, team_called
from chatwoot_tools.call.context import Context
from chatwoot_tools.digest import same
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.writing import lost

Nobody = Literal["none"]
NOBODY: Final[Nobody] = "none"
"""As a team or an assignee that is asked for. None means that nothing is asked."""

UNSEEN: Final = object()
"""What a field is where nothing told it."""
CHANGED = "Chatwoot, an automation rule in it, or somebody else set something else."
_UNASSIGNED = (
    "Nobody is assigned now: an agent that Chatwoot does not know unassigns whoever was, and so may an automation rule "
    "or somebody else."
)
_ASSIGNED = "Somebody is assigned since: by a person, an automation rule, or an inbox that assigns by itself."


def _tells_nothing(_answer: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it is to be (None: nothing), how to read it, and what sets it.

    ``write`` is None where another change's request sets this field as well; that one has it ``beside`` itself.
    ``tells`` reads the answer to it: the fields that it names, or all of the conversation. ``put`` sets what such an
    answer says in the conversation from before, which spares a look where this is the only change.
    """

    field: str
    wanted: Any
    read: Callable[[Conversation], Any]
    write: Request | None
    tells: Callable[[Any], dict[str, Any] | Conversation] = _tells_nothing
    put: Callable[[Conversation, Any], Conversation] | None = None
    beside: tuple[Change, ...] = ()

    def is_so(self, conversation: Conversation) -> bool:
        return same(self.read(conversation), self.wanted)

    def as_not_applied(self, actual: Any, reason: str | None = None) -> NotApplied:
        match self.field, self.wanted, actual:
            case "assignee", None, _:
                usual = _ASSIGNED
            case "assignee", _, None:
                usual = _UNASSIGNED
            case _:
                usual = CHANGED
        asked, actual = _shown(self.wanted), _shown(actual)
        asked = NOBODY if asked is None else asked
        return NotApplied(field=self.field, asked=asked, actual=actual, reason=reason or usual)


@dataclass(slots=True)
class Sight:
    """What is known of a conversation while it is changed: all of it where it was shown after the last change, else
    the fields that the answers to the changes told. ``first``: as it was shown before them."""

    whole: Conversation | None = None
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    first: Conversation | None = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.whole

    def value(self, change: Change) -> Any:
        return self.told.get(change.field, UNSEEN) if self.whole is None else change.read(self.whole)

    def last(self, change: Change) -> Any:
        """What the field was when it was last seen, or told."""
        value = self.value(change)
        return change.read(self.first) if value is UNSEEN and self.first is not None else value

    def holds(self, change: Change) -> bool:
        return same(self.value(change), change.wanted)

    def lacks(self, change: Change) -> bool:
        """Whether the field is known to be something else."""
        return self.value(change) is not UNSEEN and not self.holds(change)


def status_changes(account_id: int, conversation_id: int, status: str, until: datetime | None) -> list[Change]:
    seconds = None if until is None else int(until.timestamp())
    write = writes.set_status(account_id, conversation_id, status, seconds)
    beside: list[Change] = []
    if until is not None:
        beside.append(Change("snoozed_until", until.replace(microsecond=0), lambda now: now.snoozed_until, None))

    def tells(answer: Any) -> dict[str, Any]:
        match answer:
            case {"payload": {"conversation_id": known, "current_status": now} as payload} if known == conversation_id:
                return {"status": now, "snoozed_until": _moment(payload.get("snoozed_until"))}
            case _:
                return {}

    return [Change("status", status, lambda now: now.status, write, tells, beside=tuple(beside)), *beside]


def team_change(account_id: int, conversation_id: int, team: int | Nobody) -> Change:
    team_id = None if team == NOBODY else team
    write = writes.assign_team(account_id, conversation_id, team_id)
    return Change("team", team_id, team_of, write, lambda answer: _id_told("team", answer))


def assignee_change(account_id: int, conversation_id: int, agent: int | Nobody) -> Change:
    agent_id = None if agent == NOBODY else agent
    write = writes.assign_agent(account_id, conversation_id, agent_id)
    return Change("assignee", agent_id, assignee_of, write, lambda answer: _id_told("assignee", answer))


def _id_told(field: str, answer: Any) -> dict[str, Any]:
    match answer:
        case {"id": int(known)}:
            return {field: known}
        case None:
            return {field: None}
        case _:
            return {}


def labels_change(account_id: int, conversation_id: int, labels: list[str]) -> Change:
    def tells(answer: Any) -> dict[str, Any]:
        match answer:
            case {"payload": [*titles]}:
                return {"labels": sorted(map(str, titles))}
            case _:
                return {}

    def put(before: Conversation, answer: Any) -> Conversation:
        return before.model_copy(update={"labels": tuple(answer["payload"])})

    write = writes.replace_labels(account_id, conversation_id, labels)
    return Change("labels", sorted(labels), lambda now: sorted(now.labels), write, tells, put)


def attributes_change(account_id: int, conversation_id: int, attributes: dict[str, Any]) -> Change:
    def tells(answer: Any) -> dict[str, Any]:
        match answer:
            case {"custom_attributes": told}:
                return {"custom_attributes": told}
            case _:
                return {}

    def put(before: Conversation, answer: Any) -> Conversation:
        return before.model_copy(update={"custom_attributes": answer["custom_attributes"]})

    write = writes.replace_custom_attributes(account_id, conversation_id, attributes)
    return Change("custom_attributes", attributes, lambda now: now.custom_attributes, write, tells, put)


def priority_change(account_id: int, conversation_id: int, priority: str | None) -> Change:
    """To be made last: its answer is the conversation, which saves reading it back."""
    write = writes.set_priority(account_id, conversation_id, priority)
    read_answer = partial(read_conversation, conversation_id=conversation_id)
    return Change("priority", priority, lambda now: now.priority, write, read_answer)


def team_of(conversation: Conversation) -> int | None:
    return conversation.meta.team.id if conversation.meta.team else None


def assignee_of(conversation: Conversation) -> int | None:
    return conversation.meta.assignee.id if conversation.meta.assignee else None


async def make(change: Change, sight: Sight, ctx: Context, alone_on: Conversation | None = None) -> None:
    """Send a change's request, and take into ``sight`` what Chatwoot's answer tells.

    ``alone_on``: the conversation just before, if this is its only change. Raises ChatwootError.
    """
    if change.write is None:
        return
    answer = await ctx.client.perform(change.write)
    sight.whole = None
    told = change.tells(answer)
    if isinstance(told, Conversation):
        sight.whole = told
        return
    sight.told |= told
    # An answer does not say which conversation it is about: for all of it, only good news is taken from it.
    if alone_on is not None and change.put is not None and sight.holds(change):
        sight.whole = change.put(alone_on, answer)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


async def find_made(
    change: Change, failure: errors.ChatwootError, account_id: int, conversation_id: int, sight: Sight, ctx: Context
) -> bool:
    """After a failed change, whether it was made all the same. Raises lost.Undecided where no look could tell."""
    if failure.effect is errors.Effect.NONE:
        return False
    asked = (change, *change.beside)
    # A field that was never seen cannot be told to be as before.
    before = [each.wanted if (was := sight.last(each)) is UNSEEN else was for each in asked]
    sight.whole = None

    async def find() -> Conversation | None:
        now = await ctx.client.conversations.show(account_id, conversation_id)
        if all(each.is_so(now) for each in asked):
            return now
        if any(not same(each.read(now), was) for each, was in zip(asked, before, strict=True)):
            raise lost.Undecided  # somebody else set it meanwhile, perhaps after ours
        return None

    found = await lost.find_effect(find, failure, ctx)
    if found is not None:
        sight.whole = found
        sight.told |= {each.field: each.wanted for each in asked}
    return found is not None


async def look_back(account_id: int, conversation_id: int, sight: Sight, ctx: Context) -> bool:
    """See all of the conversation after the changes. False where it could not be seen."""
    if sight.whole is not None:
        return True
    try:
        sight.whole = await ctx.client.conversations.show(account_id, conversation_id)
    except errors.ChatwootError:
        return False
    return True


def is_nobody(wanted: object) -> bool:
    """Whether a team or an assignee, as it was given, is that there be none."""
    return isinstance(wanted, str) and wanted.strip().casefold() == NOBODY


async def team_or_nobody(wanted: str, account_id: int, ctx: Context) -> int | Nobody:
    return NOBODY if is_nobody(wanted) else await team_id_of(wanted, account_id, ctx)


async def agent_or_nobody(wanted: str, account_id: int, ctx: Context) -> int | Nobody:
    return NOBODY if is_nobody(wanted) else await agent_id_of(wanted, account_id, ctx)


async def team_id_of(wanted: str, account_id: int, ctx: Context) -> int:
    """The team's id. Raises ToolFailure ``not_found``, ``ambiguous_name`` or ``bot_not_allowed``."""
    try:
        return team_called(wanted, await ctx.directory.teams(account_id)).id
    except errors.BotEndpointClosed:
        text = (
            "Nothing was changed. With a bot's token Chatwoot fails on conversations that have a team: leave team out."
        )
        raise ToolFailure("bot_not_allowed", text, field="team") from None


async def agent_id_of(wanted: str, account_id: int, ctx: Context) -> int:
    """The agent's id. An unknown one would unassign, so it is looked up; a bot's token cannot."""
    try:
        return agent_called(wanted, await ctx.directory.agents(account_id)).id
    except errors.BotEndpointClosed:
        if (agent_id := id_in(wanted)) is not None:
            return agent_id
        text = "Nothing was changed. A bot's token cannot look up names: give the agent's id."
        raise ToolFailure("bot_not_allowed", text, field="assignee") from None


async def titles_of(wanted: list[str], field: str, account_id: int, ctx: Context) -> list[str]:
    """The labels' titles; as they were given where the token may not list labels."""
    if not wanted:
        return []
    try:
        known = await ctx.directory.labels(account_id)
    except errors.BotEndpointClosed:
        return wanted
    return [label_called(each, known, field) for each in wanted]


async def show(account_id: int, conversation_id: int, ctx: Context) -> Conversation:
    """The conversation. Raises ToolFailure ``not_found``, also for one that is hidden."""
    try:
        conversation = await ctx.client.conversations.show(account_id, conversation_id)
    except errors.NotFound:
        raise no_conversation(account_id, conversation_id, ctx) from None
    except (errors.Forbidden, errors.ServerError) as failure:
        # Nor must it be told from one that the token's owner may not see, nor, by a bot, from one with a team (500).
        if not ctx.policy.hides or not (isinstance(failure, errors.Forbidden) or await _is_bot(account_id, ctx)):
            raise
        raise no_conversation(account_id, conversation_id, ctx) from None
    if not ctx.policy.allows_inbox(conversation.inbox_id):
        raise no_conversation(account_id, conversation_id, ctx)
    return conversation


async def _is_bot(account_id: int, ctx: Context) -> bool:
    return await ctx.directory.role(account_id) == "bot"


async def look(account_id: int, conversation_id: int, ctx: Context) -> Conversation | None:
    """The conversation as ``show``; None where it is closed to bots, who may write all the same.

    Before 4.15 every conversation is closed to them (401), and since then each that has a team (500).
    """
    try:
        return await show(account_id, conversation_id, ctx)
    except errors.BotEndpointClosed:
        pass
    except errors.ServerError:
        if not await _is_bot(account_id, ctx):
            raise
    if ctx.policy.hides:
        text = (
            "Nothing was changed. A bot's token is not shown which inbox this conversation is in: a person's token is "
            f"needed. {ctx.policy.allowing}"
        )
        raise ToolFailure("bot_not_allowed", text, field="conversation_id")
    return None


async def labels_of(account_id: int, conversation_id: int, before: Conversation | None, ctx: Context) -> list[str]:
    """The conversation's labels, which Chatwoot replaces as a whole. Raises ToolFailure ``bot_not_allowed``."""
    if before is not None:
        return list(before.labels)
    try:
        return list(await ctx.client.conversations.labels(account_id, conversation_id))
    except errors.BotEndpointClosed:
        raise closed_to_bots("labels") from None


def closed_to_bots(field: str) -> ToolFailure:
    text = (
        f"Nothing was changed. This Chatwoot shows the conversation to no bot, and {field} would replace what is "
        f"there: leave {field} out, or use a person's token."
    )
    return ToolFailure("bot_not_allowed", text, field=field)


def no_conversation(account_id: int, conversation_id: int, ctx: Context) -> ToolFailure:
    text = f"Account {account_id} has no conversation {conversation_id}"
    if not ctx.policy.hides:
        text += ", or the token has no access to it."
        return ToolFailure("not_found", text, field="conversation_id", http_status=404)
    text += f" that is shown to this token in an inbox that may be used here. {ctx.policy.allowing}"
    return ToolFailure("not_found", text, field="conversation_id")


def explain_change(failure: errors.ChatwootError, change: Change) -> ToolFailure:
    """The failure of a change that was surely not made."""
    if failure.effect is not errors.Effect.NONE:
        text = f"Chatwoot failed while changing {change.field}; a look showed that it was not changed. Try again."
        return replace(lost.nothing_done(failure, text), field=change.field)
    told = explain(failure)
    return replace(told, field=told.field or change.field, text=f"{told.text} Not changed: {change.field}.")


def _shown(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
