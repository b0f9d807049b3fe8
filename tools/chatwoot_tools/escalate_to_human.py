"""The tool ``escalate_to_human``: one call for "a person must take over".

What can be found out first is; then each step is made, whatever became of the one before, and at the end the
conversation is read back. The same call again finds what is done by its marks and does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Message
from chatwoot_tools import assigning, changes, lost, messages
from chatwoot_tools.accounts import resolve_account
from chatwoot_tools.changes import Change, Sight
from chatwoot_tools.contacts import Email, Phone, owner_of
from chatwoot_tools.context import Context
from chatwoot_tools.create_conversation.model import MAX_CONTENT, CreateConversation
from chatwoot_tools.create_conversation.tool import open_conversation
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.inputs import Id, Key, NameOrId, Priority, Text, Titles, WriteInput
from chatwoot_tools.names import inbox_called
from chatwoot_tools.saving import UNIQUE, save
from chatwoot_tools.stamp import digest
from chatwoot_tools.tool import Output, Result, Tool
from chatwoot_tools.views import (
    ConversationView,
    Named,
    NotApplied,
    PreparedRequest,
    conversation_view,
    named,
    prepared,
)

_UNSEEN: Final = (
    "The conversation could not be looked at afterwards (a bot's token is not shown all of them): the steps go by what "
    "Chatwoot answered to each change, and what else changed is not known."
)
_NOT_LOOKED_UP: Final = (
    "Not looked at, as the conversation is not shown to this bot's token: whether another process wrote the note or "
    "the message before, and whether the channel's reply window is open."
)
_MAYBE_WRITTEN: Final = (
    "not sent: the token's owner wrote this, or what may be this, within a day, and no mark tells whether an earlier "
    "call did. Read the conversation; what is missing can be sent with reply_to_conversation or add_private_note"
)
SAME_ESCALATION: Final = timedelta(days=1)
"""How long a call with the same arguments, and no key, is the same call again."""

StepName = Literal["contact", "conversation", "message", "note", "status", "team", "assignee", "labels", "priority"]
StepStatus = Literal["done", "already_done", "not_applied", "failed", "unknown", "skipped"]


class EscalateToHuman(WriteInput):
    conversation_id: Annotated[Id | None, Field(description="Or a customer and an inbox:")] = None
    contact_id: Annotated[Id | None, Field(description="Customer, or by the next; made if new.")] = None
    email: Annotated[Email | None, Field(description="E-mail.")] = None
    phone_number: Annotated[Phone | None, Field(description="E.164.")] = None
    identifier: Annotated[Text | None, Field(max_length=255, description="Your own id of them.")] = None
    name: Annotated[Text | None, Field(max_length=255, description="If new.")] = None
    inbox: Annotated[NameOrId | None, Field(description="Name or id.")] = None
    summary: Annotated[Text, Field(max_length=MAX_CONTENT, description="Private note for the team.")]
    message: Annotated[Text | None, Field(max_length=MAX_CONTENT, description="For the customer.")] = None
    priority: Annotated[Priority | None, Field(description="Priority.")] = None
    team: Annotated[NameOrId | None, Field(description="Name or id.")] = None
    assignee: Annotated[NameOrId | None, Field(description="Name, e-mail or id.")] = None
    labels: Annotated[Titles | None, Field(description="To add.")] = None
    idempotency_key: Annotated[Key | None, Field(description="Default: the arguments.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for whom in ("team", "assignee"):
            if changes.is_nobody(given.get(whom)):
                yield whom, "must name one: somebody has to take over, so leave it out to ask for none"
        customer = given.keys() & {"contact_id", *UNIQUE}
        if "conversation_id" in given:
            for other in sorted({*customer, *(given.keys() & {"inbox", "name"})}):
                yield other, "cannot be combined with conversation_id"
            return
        if not customer:
            yield "conversation_id", f"or one of contact_id, {', '.join(UNIQUE)} is required"
        if "inbox" not in given:
            yield "inbox", "is required, unless conversation_id is given"


class Step(Output):
    step: StepName
    status: StepStatus
    detail: str | None = None


class EscalateToHumanResult(Result):
    complete: bool
    steps: list[Step]
    conversation_id: int | None = None
    conversation: ConversationView | None = None
    contact: Named | None = None
    requests: list[PreparedRequest] | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The call with its names resolved. ``seed`` marks what this call makes, so that the same call finds it again.

    Without an idempotency key the arguments are the seed; then equal ones on another day are another escalation.
    """

    args: EscalateToHuman
    account_id: int
    inbox_id: int | None
    team_id: int | None
    agent_id: int | None
    labels: list[str]
    seed: str

    @property
    def conversation_key(self) -> str:
        day = "" if self.args.idempotency_key else datetime.now(UTC).date().isoformat()
        return f"escalate:{digest([self.seed, day])}"

    def counts(self, message: Message) -> bool:
        """Whether a message may be of this escalation."""
        if self.args.idempotency_key or message.created_at is None:
            return True
        return datetime.now(UTC) - message.created_at < SAME_ESCALATION


@dataclass(slots=True)
class _Progress:
    steps: list[Step] = field(default_factory=list[Step])
    warnings: list[str] = field(default_factory=list[str])

    def tell(self, step: StepName, status: StepStatus, detail: str | None = None) -> None:
        self.steps.append(Step(step=step, status=status, detail=detail))

    def failed(self, step: StepName, error: Exception) -> None:
        told = error if isinstance(error, ToolFailure) else explain(error) if isinstance(error, ChatwootError) else None
        unknown = told is not None and told.code == "outcome_unknown"
        self.tell(step, "unknown" if unknown else "failed", told.text if told else "unforeseen")


@dataclass(frozen=True, slots=True)
class _Found:
    """The conversation (None where it is not shown to a bot), and whether this call made it: then nothing of ours can
    be in it yet."""

    id: int
    conversation: Conversation | None
    is_new: bool = False


async def escalate_to_human(args: EscalateToHuman, ctx: Context) -> EscalateToHumanResult:
    """Raises only while nothing is done; from the first conversation on, each failure is a step."""
    plan = await _plan(args, ctx)
    async with ctx.holding(f"{plan.account_id}:handover:{plan.seed}"):
        if args.dry_run:
            return await _dry_run(plan, ctx)
        progress = _Progress()
        found = await _conversation(plan, progress, ctx)
        await _write_messages(plan, found, progress, ctx)
        return await _change(plan, found, progress, ctx)


async def _plan(args: EscalateToHuman, ctx: Context) -> _Plan:
    """Every name looked up before anything is written. Raises ToolFailure."""
    account_id = await resolve_account(args.account_id, ctx)
    inbox_id: int | None = None
    if args.inbox is not None:
        if await ctx.directory.role(account_id) == "bot":
            text = (
                "Nothing was sent. A bot's token cannot look for the customer's conversations, and would open one more "
                "with each call: give conversation_id."
            )
            raise ToolFailure("bot_not_allowed", text, field="conversation_id")
        inbox_id = inbox_called(args.inbox, await ctx.directory.inboxes(account_id)).id
        ctx.policy.check_inbox(inbox_id)
    content = args.model_dump(mode="json", exclude={"idempotency_key", "dry_run", "account_id"}, exclude_none=True)
    return _Plan(
        args,
        account_id,
        inbox_id,
        None if args.team is None else await changes.team_id_of(args.team, account_id, ctx),
        None if args.assignee is None else await changes.agent_id_of(args.assignee, account_id, ctx),
        await changes.titles_of(args.labels or [], "labels", account_id, ctx),
        args.idempotency_key or digest(content),
    )


async def _conversation(plan: _Plan, progress: _Progress, ctx: Context) -> _Found:
    if plan.args.conversation_id is not None:
        conversation = await changes.look(plan.account_id, plan.args.conversation_id, ctx)
        progress.tell("conversation", "already_done")
        return _Found(plan.args.conversation_id, conversation)
    contact_id = await _contact_id(plan, progress, ctx)
    try:
        return await _open_one(plan, contact_id, progress, ctx)
    except (ToolFailure, ChatwootError) as error:
        if not any((step.step, step.status) == ("contact", "done") for step in progress.steps):
            raise
        told = error if isinstance(error, ToolFailure) else explain(error)
        raise replace(told, text=f"{told.text} Before that contact {contact_id} was created.") from None


async def _contact_id(plan: _Plan, progress: _Progress, ctx: Context) -> int:
    args = plan.args
    if args.contact_id is not None:
        return args.contact_id
    unique = {name: value for name in UNIQUE if (value := getattr(args, name)) is not None}
    known = await owner_of(unique, plan.account_id, ctx)
    if known is not None:
        progress.tell("contact", "already_done")
        return known.id
    wanted: dict[str, Any] = {**unique, **({"name": args.name} if args.name else {})}
    saved = await save(wanted, None, plan.account_id, ctx)
    if saved.outcome == "unchanged":
        progress.tell("contact", "already_done")
    else:
        progress.tell("contact", "done", f"created contact {saved.contact.id}")
    return saved.contact.id


async def _open_one(plan: _Plan, contact_id: int, progress: _Progress, ctx: Context) -> _Found:
    """The customer's unresolved conversation in the inbox, else a new one."""
    try:
        for conversation in await ctx.client.contacts.conversations(plan.account_id, contact_id):
            if conversation.inbox_id == plan.inbox_id and conversation.status != "resolved":
                progress.tell("conversation", "already_done", f"used conversation {conversation.id}")
                return _Found(conversation.id, conversation)
    except errors.NotFound:
        text = f"Nothing was sent: account {plan.account_id} has no contact {contact_id}."
        raise ToolFailure("not_found", text, field="contact_id", http_status=404) from None
    wanted = CreateConversation.model_validate(
        {
            "account_id": plan.account_id,
            "inbox_id": plan.inbox_id,
            "contact_id": contact_id,
            "team_id": plan.team_id,
            "idempotency_key": plan.conversation_key,
        }
    )
    opened = await open_conversation(wanted, ctx)
    if opened.sent is None:
        raise RuntimeError("only a dry run sends nothing")
    conversation = opened.sent.conversation
    progress.warnings += opened.warnings
    progress.tell("conversation", "done", f"{opened.outcome.replace('_', ' ')} conversation {conversation.id}")
    return _Found(conversation.id, conversation, is_new=opened.outcome == "created")


@dataclass(frozen=True, slots=True)
class _Writing:
    """A message to be written. ``second`` is the same, with a mark that says that the other one is written as well:
    a bot's token is shown the last message only."""

    step: StepName
    alone: messages.Draft
    second: messages.Draft


def _writings(plan: _Plan, found: _Found, ctx: Context) -> list[_Writing]:
    """The customer's message, then the note."""
    texts: list[tuple[StepName, str | None, bool]] = [
        ("message", plan.args.message, False),
        ("note", plan.args.summary, True),
    ]

    def draft(content: str, private: bool, key: str) -> messages.Draft:
        body = {"content": content, "private": private}
        return messages.Draft.of(plan.account_id, found.id, body, f"{plan.seed}:{key}", ctx)

    return [
        _Writing(step, draft(content, private, step), draft(content, private, f"{step}:second"))
        for step, content, private in texts
        if content is not None
    ]


async def _write_messages(plan: _Plan, found: _Found, progress: _Progress, ctx: Context) -> None:
    writings = _writings(plan, found, ctx)
    try:
        seen = () if found.is_new else await messages.of_the_last_day(writings[-1].alone, ctx)
        done = _done_before(writings, [each for each in seen or () if plan.counts(each)])
        unsure = {
            each.step for each in writings if await messages.may_be_unmarked(each.alone, _lately(seen), ctx)
        } - done
    except ChatwootError as error:
        for writing in writings:
            progress.failed(writing.step, error)
        return
    if seen is None:
        progress.warnings.append(_NOT_LOOKED_UP)
    newest = max((message.id for message in seen or ()), default=0)
    for writing in writings:
        if writing.step in done:
            progress.tell(writing.step, "already_done")
        elif writing.step == "message" and found.conversation is not None and found.conversation.can_reply is False:
            progress.tell(writing.step, "skipped", "the reply window is closed: only a template would be delivered")
        elif writing.step in unsure:
            progress.tell(writing.step, "unknown", _MAYBE_WRITTEN)
        elif seen is None:
            draft = replace(writing.alone, key=f"{writing.alone.key}:{plan.conversation_key}")
            await _send(writing.step, draft, True, progress, ctx)
        else:
            draft = replace(writing.second if done else writing.alone, newest=newest)
            if await _send(writing.step, draft, False, progress, ctx):
                done.add(writing.step)


def _lately(seen: tuple[Message, ...] | None) -> list[Message]:
    """With a key too, words alone tell nothing of what is older than a day."""
    now = datetime.now(UTC)
    return [each for each in seen or () if each.created_at is None or now - each.created_at < SAME_ESCALATION]


def _done_before(writings: list[_Writing], seen: list[Message]) -> set[StepName]:
    """What an earlier call of the same seed wrote, by its marks."""
    if any(writing.second.is_stamped_on(message) for writing in writings for message in seen):
        return {writing.step for writing in writings}
    return {each.step for each in writings if any(each.alone.is_stamped_on(message) for message in seen)}


async def _send(step: StepName, draft: messages.Draft, unseen: bool, progress: _Progress, ctx: Context) -> bool:
    """Whether it is written. ``unseen``: no look told whether it was before: this process's memory alone does."""
    try:
        sent = await (messages.send if unseen else messages.send_new)(draft, ctx)
    except (ToolFailure, ChatwootError) as error:
        progress.failed(step, error)
        return False
    if sent.outcome == "already_sent":
        progress.tell(step, "already_done")
    else:
        progress.tell(step, "done", "found again after a lost answer" if sent.outcome == "recovered" else None)
    return True


def _wanted(plan: _Plan, conversation_id: int, labels: list[str]) -> list[Change]:
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


async def _labels(plan: _Plan, found: _Found, ctx: Context) -> list[str]:
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


async def _change(plan: _Plan, found: _Found, progress: _Progress, ctx: Context) -> EscalateToHumanResult:
    labels: list[str] = []
    not_applied: list[NotApplied] = []
    try:
        labels = await _labels(plan, found, ctx)
    except (ToolFailure, ChatwootError) as error:
        progress.failed("labels", error)
        not_applied.append(NotApplied(field="labels", asked=plan.labels, reason=progress.steps[-1].detail or ""))
    wanted = _wanted(plan, found.id, labels)
    needed = _needed(wanted, found.conversation)
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


async def _make(plan: _Plan, change: Change, found: _Found, sight: Sight, ctx: Context) -> ToolFailure | None:
    """Make a change; gives what went wrong: ``outcome_unknown`` where nobody can tell whether it was made."""
    try:
        with lost.time_to_look(ctx):
            await changes.make(change, found.id, sight, ctx)
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
    progress: _Progress,
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


def _tell_side_effects(
    plan: _Plan, before: Conversation | None, after: Conversation | None, progress: _Progress
) -> None:
    if before is None or after is None:
        return
    was, now = changes.assignee_of(before), changes.assignee_of(after)
    if plan.agent_id is None and was is not None and was != now:
        progress.warnings.append(f"Chatwoot changed the assignee: it was agent {was}, now it is {now or 'nobody'}.")


def _result(
    found: _Found, sight: Sight, not_applied: list[NotApplied], progress: _Progress, ctx: Context
) -> EscalateToHumanResult:
    seen = sight.whole
    known = seen or found.conversation
    return EscalateToHumanResult(
        complete=all(step.status in {"done", "already_done"} for step in progress.steps),
        steps=progress.steps,
        conversation_id=found.id,
        conversation=conversation_view(seen, ctx.client.base_url) if seen else None,
        contact=named(known.meta.sender) if known else None,
        not_applied=not_applied,
        warnings=progress.warnings or None,
    )


async def _dry_run(plan: _Plan, ctx: Context) -> EscalateToHumanResult:
    """What is known without writing: the requests for a conversation that exists, else only the steps."""
    conversation: Conversation | None = None
    needed: list[Change] = []
    if plan.args.conversation_id is not None:
        conversation = await changes.look(plan.account_id, plan.args.conversation_id, ctx)
        labels = await _labels(plan, _Found(plan.args.conversation_id, conversation), ctx)
        needed = _needed(_wanted(plan, plan.args.conversation_id, labels), conversation)
    names: list[StepName] = ["conversation", "note", "status"]
    asked: dict[StepName, Any] = {
        "message": plan.args.message,
        "team": plan.team_id,
        "assignee": plan.agent_id,
        "labels": plan.labels,
        "priority": plan.args.priority,
    }
    names.extend(name for name, value in asked.items() if value)
    return EscalateToHumanResult(
        complete=False,
        steps=[Step(step=name, status="skipped", detail="dry run") for name in names],
        conversation_id=plan.args.conversation_id,
        conversation=conversation_view(conversation, ctx.client.base_url) if conversation else None,
        requests=[prepared(change.write) for change in needed if change.write],
        not_applied=[],
    )


ESCALATE_TO_HUMAN: Final = Tool(
    name="escalate_to_human",
    title="Hand over",
    description="Hands a customer to the team: finds or opens the conversation, notes the summary, opens and assigns "
    "it. If complete is false, the same call again does the rest and repeats nothing.",
    toolset="core",
    input=EscalateToHuman,
    output=EscalateToHumanResult,
    run=escalate_to_human,
    idempotent=True,
)
