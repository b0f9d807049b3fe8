"""The tool ``update_conversation``: changes made one by one, then read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.models import Conversation
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.attributes import Attributes
from chatwoot_tools.arguments.inputs import MAX_PARTS, Id, Keys, Moment, NameOrId, Titles, WriteInput
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.results.conversations import ConversationView, conversation_view
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.results.requests import PreparedRequest, prepared
from chatwoot_tools.text import NAME_CHARS, clean
from chatwoot_tools.tool import Result, Tool
from chatwoot_tools.writing import assigning, changes, lost
from chatwoot_tools.writing.changes import NOBODY, Change, Sight

FIELDS: Final = (
    *("status", "priority", "team", "assignee", "add_labels", "remove_labels", "set_labels"),
    *("custom_attributes", "unset_custom_attributes"),
)
_UNSEEN: Final = (
    "The conversation could not be looked at (a bot's token is not shown all of them): applied goes by what Chatwoot "
    "answered to each change, and what else changed is not known."
)


class UpdateConversation(WriteInput):
    conversation_id: Annotated[Id, Field(description="Conversation's number.")]
    status: Annotated[Literal["open", "resolved", "pending", "snoozed"] | None, Field(description="New status.")] = None
    snoozed_until: Annotated[Moment | None, Field(description="ISO 8601 with time zone; needs status snoozed.")] = None
    priority: Annotated[
        Literal["low", "medium", "high", "urgent", "none"] | None, Field(description="New priority; none removes it.")
    ] = None
    team: Annotated[NameOrId | None, Field(description="Name, id or none.")] = None
    assignee: Annotated[NameOrId | None, Field(description="Name, e-mail, id or none.")] = None
    add_labels: Annotated[Titles | None, Field(description="Labels to add.")] = None
    remove_labels: Annotated[Titles | None, Field(description="Labels to remove.")] = None
    set_labels: Annotated[Titles | None, Field(description="Labels that replace all; none removes all.")] = None
    custom_attributes: Annotated[Attributes | None, Field(description="Merged into those there are.")] = None
    unset_custom_attributes: Annotated[Keys | None, Field(description="Keys to remove.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if not given.keys() & set(FIELDS):
            yield "status", f"or another change is required: {', '.join(FIELDS)}"
        if "snoozed_until" in given and given.get("status") != "snoozed":
            yield "snoozed_until", "needs status snoozed"
        if "set_labels" in given and given.keys() & {"add_labels", "remove_labels"}:
            yield "set_labels", "replaces all labels: leave add_labels and remove_labels out"
        if not _names(given.get("add_labels"), _folded).isdisjoint(_names(given.get("remove_labels"), _folded)):
            yield "remove_labels", "names a label of add_labels: leave it out of one of them"
        if not _names(given.get("custom_attributes")).isdisjoint(_names(given.get("unset_custom_attributes"))):
            yield "unset_custom_attributes", "names a key of custom_attributes: leave it out of one of them"


def _folded(title: str) -> str:
    """Labels are the same in capitals; keys of attributes are not."""
    return title.strip().casefold()


def _names(given: object, alike: Callable[[str], str] = str) -> set[str]:
    """The texts in a list, or the keys of an object. What is of another type, or too long, is refused for that."""
    if not isinstance(given, list | dict) or len(cast("Sized", given)) > MAX_PARTS:
        return set()
    return {alike(name) for name in cast("Iterable[object]", given) if isinstance(name, str)}


Outcome = Literal["updated", "unchanged", "recovered", "dry_run"]


class UpdateConversationResult(Result):
    outcome: Outcome = "updated"
    conversation: ConversationView | None = None
    applied: list[str]
    not_applied: list[NotApplied]
    warnings: list[str] | None = None
    requests: list[PreparedRequest] | None = None


async def update_conversation(args: UpdateConversation, ctx: Context) -> UpdateConversationResult:
    """Make the changes that are not known to be so already, and report what the conversation then says."""
    account_id = await resolve_account(args.account_id, ctx)
    looks_first = await _needs_a_look_first(args, account_id, ctx)
    before = await changes.look(account_id, args.conversation_id, ctx) if looks_first or args.dry_run else None
    wanted = await _wanted(args, account_id, before, ctx)
    to_make = [each for each in wanted if before is None or not looks_first or not _settled(each, wanted, before)]
    if args.dry_run:
        requests = [prepared(change.write) for change in to_make if change.write]
        return _result(Sight(before), [], ctx, await _warnings(args, before, before, ctx), requests, "dry_run")
    told = {} if before is None else {change.field: change.wanted for change in wanted if change not in to_make}
    sight = Sight(before, told)
    recovered = await _make(to_make, args, account_id, sight, ctx)
    await changes.look_back(account_id, args.conversation_id, sight, ctx)
    overtaken, assigned = await _assigned_later(args, wanted, sight, ctx)
    warnings = [*await _warnings(args, before, sight.whole, ctx), *assigned]
    outcome: Outcome = "recovered" if recovered else "updated" if to_make else "unchanged"
    return _result(sight, wanted, ctx, warnings, outcome=outcome, overtaken=overtaken)


async def _needs_a_look_first(args: UpdateConversation, account_id: int, ctx: Context) -> bool:
    """Where the change depends on what there is, or Chatwoot changes more than it is asked to."""
    several = sum(getattr(args, field) is not None for field in FIELDS) > 1
    if several or ctx.policy.hides:
        return True
    if args.add_labels or args.remove_labels or args.custom_attributes or args.unset_custom_attributes:
        return True
    # An agent's token that opens a conversation takes it over from its assignee.
    return args.status == "open" and await ctx.directory.role(account_id) == "agent"


async def _wanted(args: UpdateConversation, account_id: int, before: Conversation | None, ctx: Context) -> list[Change]:
    """The changes in order. Names are resolved here, before the first write."""
    where = (account_id, args.conversation_id)
    wanted: list[Change] = []
    if args.status is not None:
        wanted += changes.status_changes(*where, args.status, args.snoozed_until)
    if args.team is not None:
        wanted.append(changes.team_change(*where, await changes.team_or_nobody(args.team, account_id, ctx)))
    if args.assignee is not None:
        wanted.append(changes.assignee_change(*where, await changes.agent_or_nobody(args.assignee, account_id, ctx)))
    if (labels := await _labels(args, account_id, before, ctx)) is not None:
        wanted.append(changes.labels_change(*where, labels))
    if args.custom_attributes or args.unset_custom_attributes:
        if before is None:
            raise changes.closed_to_bots("custom_attributes")
        merged = {**before.custom_attributes, **(args.custom_attributes or {})}
        kept = {key: value for key, value in merged.items() if key not in (args.unset_custom_attributes or ())}
        wanted.append(changes.attributes_change(*where, kept))
    if args.priority is not None:
        wanted.append(changes.priority_change(*where, None if args.priority == NOBODY else args.priority))
    return wanted


async def _labels(
    args: UpdateConversation, account_id: int, before: Conversation | None, ctx: Context
) -> list[str] | None:
    if args.set_labels == [NOBODY]:  # an empty list says nothing: some clients send it where nothing was asked
        return []
    if args.set_labels is not None:
        return await changes.titles_of(args.set_labels, "set_labels", account_id, ctx)
    if not (args.add_labels or args.remove_labels):
        return None
    held = await changes.labels_of(account_id, args.conversation_id, before, ctx)
    added = await changes.titles_of(args.add_labels or [], "add_labels", account_id, ctx)
    removed = {title.strip().casefold() for title in args.remove_labels or ()}
    kept = [title for title in held if title.casefold() not in removed]
    return [*kept, *(title for title in added if title not in kept and title.casefold() not in removed)]


def _settled(change: Change, wanted: list[Change], before: Conversation) -> bool:
    """Whether it is so already. A status is settled together with its snooze time."""
    if change.field in {"status", "snoozed_until"}:
        asked = [each for each in wanted if each.field in {"status", "snoozed_until"}]
        drops_time = len(asked) == 1 and change.wanted == "snoozed" and before.snoozed_until is not None
        return not drops_time and all(each.is_so(before) for each in asked)
    if change.field == "assignee" and any(
        each.field in {"status", "team"} and not each.is_so(before) for each in wanted
    ):
        return False  # opening may change it, and so may a team
    return change.is_so(before)


async def _make(to_make: list[Change], args: UpdateConversation, account_id: int, sight: Sight, ctx: Context) -> bool:
    """Make them in order. Whether an answer was lost on the way, and the change found to be made all the same."""
    done: list[Change] = []
    recovered = False
    alone_on = sight.whole if len(to_make) == 1 else None
    for change in to_make:
        try:
            with lost.time_to_look(ctx):
                await changes.make(change, sight, ctx, alone_on)
        except errors.ChatwootError as failure:
            try:
                recovered |= await _found_made(change, failure, account_id, args, sight, ctx)
            except ToolFailure as told:
                text = f"{told.text} Changed before that: {_fields(done)}."
                raise replace(told, text=text, partial=bool(done)) from None
        done.append(change)
    return recovered


async def _found_made(
    change: Change,
    failure: errors.ChatwootError,
    account_id: int,
    args: UpdateConversation,
    sight: Sight,
    ctx: Context,
) -> bool:
    """True where a change with a lost answer was made all the same. Raises ToolFailure where not, or nobody knows."""
    if isinstance(failure, errors.NotFound):
        raise changes.no_conversation(account_id, args.conversation_id, ctx)
    try:
        if await changes.find_made(change, failure, account_id, args.conversation_id, sight, ctx):
            return True
    except lost.Undecided:
        text = (
            f"Chatwoot gave no usable answer, and whether {change.field} was changed is not known. Look with "
            "get_conversation, or call again: setting the same value twice does no harm."
        )
        unknown = lost.outcome_unknown(failure, text, keyed=False)
        raise replace(unknown, field=change.field, retryable=True) from None
    raise changes.explain_change(failure, change)


async def _warnings(
    args: UpdateConversation, before: Conversation | None, after: Conversation | None, ctx: Context
) -> list[str]:
    if after is None:
        return [_UNSEEN]
    return [*_side_effects(args, before, after), *_timeless(args, before), *await _survey(args, after, ctx)]


async def _assigned_later(
    args: UpdateConversation, wanted: list[Change], sight: Sight, ctx: Context
) -> tuple[Change | None, list[str]]:
    """Where the inbox assigns by itself: the change that an agent has overtaken already, and what to say of it."""
    after = sight.whole
    if after is None:
        return None, []
    somebody = changes.assignee_of(after) is not None
    nobody = next((change for change in wanted if change.field == "assignee" and change.wanted is None), None)
    was_so = nobody is not None and sight.told.get("assignee", changes.UNSEEN) is None
    asked = args.status or args.team or args.assignee
    if not asked or after.status != "open" or (somebody and not was_so):
        return None, []
    inbox = await assigning.inbox_of(after, ctx)
    if not somebody or inbox is None or not inbox.enable_auto_assignment:
        return None, assigning.may_follow(after, inbox)
    return nobody, [
        f"Nobody was assigned, as asked; since then {_who(after)} is: by a person, an automation rule, or the inbox, "
        "which assigns by itself."
    ]


async def _survey(args: UpdateConversation, conversation: Conversation, ctx: Context) -> list[str]:
    if args.status != "resolved":
        return []
    inbox = await assigning.inbox_of(conversation, ctx)
    if inbox is None or not inbox.csat_survey_enabled:
        return []
    return ["The inbox sends the customer a satisfaction survey when a conversation is resolved."]


def _result(
    sight: Sight,
    wanted: list[Change],
    ctx: Context,
    warnings: list[str],
    requests: list[PreparedRequest] | None = None,
    outcome: Outcome = "updated",
    overtaken: Change | None = None,
) -> UpdateConversationResult:
    made = [change for change in wanted if change is overtaken or sight.holds(change)]
    return UpdateConversationResult(
        outcome=outcome,
        conversation=conversation_view(sight.whole, ctx.client.base_url) if sight.whole else None,
        applied=[change.field for change in made],
        not_applied=[
            change.as_not_applied(sight.value(change))
            for change in wanted
            if change not in made and sight.lacks(change)
        ],
        warnings=[*warnings, *_untold(sight, wanted)] or None,
        requests=requests,
    )


def _side_effects(args: UpdateConversation, before: Conversation | None, after: Conversation) -> list[str]:
    """What changed beside what was asked: a team clears its non-members, an agent who opens takes over; or somebody
    else changed it meanwhile, which looks the same."""
    if before is None:
        return [] if args.team is None else _side_effects_of_team(after)
    warnings: list[str] = []
    if args.assignee is None and changes.assignee_of(before) != changes.assignee_of(after):
        warnings.append(f"The assignee changed as well, from {_who(before)} to {_who(after)}.")
    if args.status is None and before.status != after.status:
        warnings.append(f"The status changed as well: it is {after.status} now.")
    return warnings


def _side_effects_of_team(after: Conversation) -> list[str]:
    """What a team may have done to an assignee from before, whom nobody looked at."""
    team = after.meta.team
    if team is None:
        return []
    if changes.assignee_of(after) is None:
        return ["Nobody is assigned: setting a team clears an assignee who is not in it."]
    if team.allow_auto_assign:
        return [f"Assigned to {_who(after)}: a team that assigns by itself replaces an assignee who is not in it."]
    return []


def _untold(sight: Sight, wanted: list[Change]) -> list[str]:
    untold = [change for change in wanted if sight.value(change) is changes.UNSEEN]
    return [f"Sent, but no answer told what holds now: {_fields(untold)}."] if untold else []


def _timeless(args: UpdateConversation, before: Conversation | None) -> list[str]:
    """Chatwoot takes away the time of a conversation that is snoozed once more without one."""
    if args.status != "snoozed" or args.snoozed_until is not None or (before and before.snoozed_until is None):
        return []
    return ["No snoozed_until was given: where it was snoozed until a time, Chatwoot takes that time away."]


def _who(conversation: Conversation) -> str:
    agent = conversation.meta.assignee
    return f"agent {agent.id} ({clean(agent.name or '', NAME_CHARS)})" if agent else "nobody"


def _fields(made: list[Change]) -> str:
    return ", ".join(change.field for change in made) or "nothing"


UPDATE_CONVERSATION: Final = Tool(
    name="update_conversation",
    title="Change a conversation",
    description=(
        "Changes a conversation and reads it back: applied and not_applied say what came of it. Resolving may send a "
        "survey."
    ),
    toolset="core",
    input=UpdateConversation,
    output=UpdateConversationResult,
    run=update_conversation,
    destructive=True,
    idempotent=True,
)
