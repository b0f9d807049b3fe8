"""What the conversation is changed to, and what came of it."""

from __future__ import annotations

from typing import Any, Final

from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.escalate_to_human.model import EscalateToHumanResult
from chatwoot_tools.core.escalate_to_human.plan import NOT_YET, Found, Plan, Progress
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.results.conversations import conversation_view
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.results.parts import named
from chatwoot_tools.results.requests import prepared
from chatwoot_tools.writing import assigning, changes, lost
from chatwoot_tools.writing.changes import Change, Sight

_UNSEEN: Final = (
    "The conversation could not be looked at afterwards (a bot's token is not shown all of them): the steps go by what "
    "Chatwoot answered to each change, and what else changed is not known."
)
_NOT_YET: Final = (
    f"In the requests the id {NOT_YET} stands for that of what is not there yet. The status that Chatwoot gives a new "
    "conversation is as it usually is."
)


def _wanted(plan: Plan, conversation_id: int, labels: list[str]) -> list[Change]:
    """The changes in the order that undoes none; priority last, as its answer is the conversation.

    ``labels``: those that it is to have, if any are asked for.
    """
    where = (plan.account_id, conversation_id)
    wanted = changes.status_changes(*where, "open", None)
    if plan.team_id is not None:
        wanted.append(changes.team_change(*where, plan.team_id))
    if plan.agent_id is not None:
        wanted.append(changes.assignee_change(*where, plan.agent_id))
    if labels:
        wanted.append(changes.labels_change(*where, labels))
    if plan.args.priority is not None:
        wanted.append(changes.priority_change(*where, plan.args.priority))
    return wanted


async def _labels(plan: Plan, found: Found, ctx: Context) -> list[str]:
    """Those that there are, and those asked for. Raises ToolFailure and ChatwootError."""
    if not plan.labels:
        return []
    held = await changes.labels_of(plan.account_id, found.id, found.conversation, ctx)
    return [*held, *(title for title in plan.labels if title not in held)]


def _needed(wanted: list[Change], before: Conversation | None) -> list[Change]:
    """What is not so already; the assignee too where opening or the team may change it."""
    if before is None:
        return wanted
    needed = [change for change in wanted if not change.is_so(before)]
    unsettled = any(change.field in {"status", "team"} for change in needed)
    return [change for change in wanted if change in needed or (unsettled and change.field == "assignee")]


async def change(plan: Plan, found: Found, progress: Progress, ctx: Context) -> EscalateToHumanResult:
    labels: list[str] = []
    not_applied: list[NotApplied] = []
    try:
        labels = await _labels(plan, found, ctx)
    except (ToolFailure, ChatwootError) as error:
        progress.failed("labels", error)
        not_applied.append(NotApplied(field="labels", asked=plan.labels, reason=progress.steps[-1].detail or ""))
    wanted = _wanted(plan, found.id, labels)
    needed = _needed(wanted, found.conversation)
    if progress.is_rehearsal:
        _rehearse(wanted, needed, found, progress)
        return _result(found, Sight(_seen(found)), not_applied, progress, ctx)
    told = {change.field: change.wanted for change in wanted if change not in needed}
    sight = Sight(found.conversation, told)
    failures = {change.field: failure for change in needed if (failure := await _make(plan, change, found, sight, ctx))}
    if not await changes.look_back(plan.account_id, found.id, sight, ctx):
        progress.warnings.append(_UNSEEN)
    for change in wanted:
        _report(change, change in needed, failures.get(change.field), sight, progress, not_applied)
    _tell_side_effects(plan, found.conversation, sight.whole, progress)
    if sight.whole is not None and sight.whole.meta.assignee is None:
        progress.warnings += assigning.may_follow(sight.whole, await assigning.inbox_of(sight.whole, ctx))
    return _result(found, sight, not_applied, progress, ctx)


async def _make(plan: Plan, change: Change, found: Found, sight: Sight, ctx: Context) -> ToolFailure | None:
    """Make a change; gives what went wrong: ``outcome_unknown`` where nobody can tell whether it was made."""
    try:
        with lost.time_to_look(ctx):
            await changes.make(change, sight, ctx)
    except ChatwootError as failure:
        try:
            made = await changes.find_made(change, failure, plan.account_id, found.id, sight, ctx)
        except lost.Undecided:
            return lost.outcome_unknown(failure, "Chatwoot gave no usable answer, and no look could tell.", keyed=False)
        return None if made else changes.explain_change(failure, change)
    return None


def _report(
    change: Change,
    sent: bool,
    failure: ToolFailure | None,
    sight: Sight,
    progress: Progress,
    not_applied: list[NotApplied],
) -> None:
    step: Any = change.field
    if sight.holds(change):
        progress.tell(step, "done" if sent else "already_done")
    elif failure is not None and failure.code == "outcome_unknown":
        progress.failed(step, failure)
    elif failure is None and sight.value(change) is changes.UNSEEN:
        progress.tell(step, "unknown", "Chatwoot took it, and its answer tells no more")
    else:
        reason = failure.text if failure else changes.CHANGED
        progress.tell(step, "failed" if failure else "not_applied", reason)
        actual = sight.value(change)
        not_applied.append(change.as_not_applied(None if actual is changes.UNSEEN else actual, reason))


def _tell_side_effects(plan: Plan, before: Conversation | None, after: Conversation | None, progress: Progress) -> None:
    if before is None or after is None:
        return
    was, now = changes.assignee_of(before), changes.assignee_of(after)
    if plan.agent_id is None and was is not None and was != now:
        progress.warnings.append(
            f"The assignee changed: it was agent {was}, now it is {f'agent {now}' if now else 'nobody'}."
        )


def _rehearse(wanted: list[Change], needed: list[Change], found: Found, progress: Progress) -> None:
    for change in wanted:
        step: Any = change.field
        if change in needed:
            progress.plan(step, f"would be set to {change.wanted}", change.write)
        elif found.is_new:
            progress.plan(step, "would come with the new conversation", None)
        else:
            progress.tell(step, "already_done")


def _seen(found: Found) -> Conversation | None:
    return None if found.id == NOT_YET else found.conversation


def _result(
    found: Found, sight: Sight, not_applied: list[NotApplied], progress: Progress, ctx: Context
) -> EscalateToHumanResult:
    seen = sight.whole
    known = seen or found.conversation
    if found.conversation is None:
        progress.tell_of_unseen_conversation()
    if found.id == NOT_YET:
        progress.warnings.append(_NOT_YET)
    complete = all(step.status in {"done", "already_done"} for step in progress.steps) and not progress.is_rehearsal
    customer = known.meta.sender if known else None
    return EscalateToHumanResult(
        outcome="dry_run" if progress.is_rehearsal else "complete" if complete else "incomplete",
        complete=complete,
        steps=progress.steps,
        conversation_id=found.id or None,
        conversation=conversation_view(seen, ctx.client.base_url) if seen else None,
        contact=named(customer) if customer and customer.id != NOT_YET else None,
        requests=[prepared(request) for request in progress.requests] if progress.is_rehearsal else None,
        not_applied=not_applied,
        warnings=progress.warnings or None,
    )
