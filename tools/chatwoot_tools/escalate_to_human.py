"""The tool ``escalate_to_human``: one call for "a person must take over".

What can be found out first is; then each step is made, whatever became of the one before, and at the end the
conversation is read back. The same call again finds what is done by its marks and does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Message
from chatwoot_tools import changes, messages
from chatwoot_tools.accounts import resolve_account
from chatwoot_tools.changes import Change
from chatwoot_tools.contacts import Email, Phone, owner_of
from chatwoot_tools.context import Context
from chatwoot_tools.create_conversation.model import MAX_CONTENT, CreateConversation
from chatwoot_tools.create_conversation.tool import open_conversation
from chatwoot_tools.diagnosis import explain
from chatwoot_tools.failures import ToolFailure
from chatwoot_tools.inputs import Id, Key, NameOrId, Priority, Text, Titles, WriteInput
from chatwoot_tools.names import inbox_called
from chatwoot_tools.save_contact import UNIQUE, save
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

SAME_ESCALATION: Final = timedelta(days=1)
"""How long a call with the same arguments, and no key, is the same call again."""

StepName = Literal["contact", "conversation", "message", "note", "status", "team", "assignee", "labels", "priority"]
StepStatus = Literal["done", "already_done", "not_applied", "failed", "skipped"]


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
    conversation: ConversationView | None = None
    contact: Named | None = None
    requests: list[PreparedRequest] | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None

    def headline(self) -> str:
        if self.requests is not None:
            return "Dry run: nothing was sent."
        left = ", ".join(step.step for step in self.steps if step.status not in {"done", "already_done"})
        where = f"Conversation {self.conversation.id}" if self.conversation else "No conversation yet"
        return f"{where}: handed to the team." if self.complete else f"{where}: not complete ({left}). Call again."


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
        self.tell(step, "failed", told.text if told else "unforeseen")


@dataclass(frozen=True, slots=True)
class _Found:
    """The conversation, and whether this call made it (then nothing of ours can be in it yet)."""

    conversation: Conversation
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
        return await _change(plan, found.conversation, progress, ctx)


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
        conversation = await changes.show(plan.account_id, plan.args.conversation_id, ctx)
        progress.tell("conversation", "already_done")
        return _Found(conversation)
    contact_id = await _contact_id(plan, progress, ctx)
    try:
        return await _open_one(plan, contact_id, progress, ctx)
    except (ToolFailure, ChatwootError) as error:
        told = error if isinstance(error, ToolFailure) else explain(error)
        told.text += f" Before that contact {contact_id} was found or created."
        raise told from None


async def _contact_id(plan: _Plan, progress: _Progress, ctx: Context) -> int:
    args = plan.args
    if args.contact_id is not None:
        return args.contact_id
    unique = {name: value for name in UNIQUE if (value := getattr(args, name)) is not None}

    async def find() -> int | None:
        owner = await owner_of(unique, plan.account_id, ctx)
        return owner.id if owner else None

    known = await ctx.directory.contact_id_of(plan.account_id, unique, find)
    if known is not None:
        progress.tell("contact", "already_done")
        return known
    wanted: dict[str, Any] = {**unique, **({"name": args.name} if args.name else {})}
    saved = await save(wanted, None, plan.account_id, ctx)
    progress.tell("contact", "done", f"created contact {saved.contact.id}")
    return saved.contact.id


async def _open_one(plan: _Plan, contact_id: int, progress: _Progress, ctx: Context) -> _Found:
    """The customer's unresolved conversation in the inbox, else a new one."""
    try:
        for conversation in await ctx.client.contacts.conversations(plan.account_id, contact_id):
            if conversation.inbox_id == plan.inbox_id and conversation.status != "resolved":
                progress.tell("conversation", "already_done", f"used conversation {conversation.id}")
                return _Found(conversation)
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
    return _Found(conversation, is_new=opened.outcome == "created")


async def _write_messages(plan: _Plan, found: _Found, progress: _Progress, ctx: Context) -> None:
    """The customer's message, then the note: a bot's token sees the last of them only."""
    drafts: list[tuple[StepName, messages.Draft]] = []
    where = (plan.account_id, found.conversation.id)
    if plan.args.message is not None:
        body = {"content": plan.args.message, "private": False}
        drafts.append(("message", messages.Draft.of(*where, body, f"{plan.seed}:message", ctx)))
    note = messages.Draft.of(*where, {"content": plan.args.summary, "private": True}, f"{plan.seed}:note", ctx)
    drafts.append(("note", note))
    try:
        seen = () if found.is_new else await messages.newest_messages(note, ctx)
    except ChatwootError as error:
        for step, _ in drafts:
            progress.failed(step, error)
        return
    done_before = _done_before(drafts, tuple(message for message in seen if plan.counts(message)))
    for step, draft in drafts:
        if step in done_before:
            progress.tell(step, "already_done")
        elif step == "message" and found.conversation.can_reply is False:
            progress.tell(step, "skipped", "the reply window is closed: only a template would be delivered")
        else:
            await _send(step, draft, progress, ctx)


def _done_before(drafts: list[tuple[StepName, messages.Draft]], seen: tuple[Message, ...]) -> set[StepName]:
    """What an earlier call of the same seed wrote. Of a single message seen, the note means that all before it was."""
    done: set[StepName] = {step for step, draft in drafts if any(draft.is_stamped_on(message) for message in seen)}
    return {step for step, _ in drafts} if "note" in done and len(seen) == 1 else done


async def _send(step: StepName, draft: messages.Draft, progress: _Progress, ctx: Context) -> None:
    try:
        sent = await messages.send_new(draft, ctx)
    except (ToolFailure, ChatwootError) as error:
        progress.failed(step, error)
    else:
        progress.tell(step, "done", "found again after a lost answer" if sent.outcome == "recovered" else None)


def _wanted(plan: _Plan, now: Conversation) -> list[Change]:
    """The changes in the order that undoes none; priority last, as its answer is the conversation."""
    where = (plan.account_id, now.id)
    wanted = changes.status_changes(*where, "open", None)
    if plan.team_id is not None:
        wanted.append(changes.team_change(*where, plan.team_id))
    if plan.agent_id is not None:
        wanted.append(changes.assignee_change(*where, plan.agent_id))
    if plan.labels:
        merged = [*now.labels, *(title for title in plan.labels if title not in now.labels)]
        wanted.append(changes.labels_change(*where, merged))
    if plan.args.priority is not None:
        wanted.append(changes.priority_change(*where, plan.args.priority))
    return wanted


def _needed(wanted: list[Change], before: Conversation) -> list[Change]:
    """What is not so already; the assignee too where opening or the team may change it."""
    needed = [change for change in wanted if not change.is_so(before)]
    unsettled = any(change.field in {"status", "team"} for change in needed)
    return [change for change in wanted if change in needed or (unsettled and change.field == "assignee")]


async def _change(plan: _Plan, before: Conversation, progress: _Progress, ctx: Context) -> EscalateToHumanResult:
    wanted = _wanted(plan, before)
    failures: dict[str, Exception] = {}
    made: set[str] = set()
    after: Conversation | None = None
    for change in _needed(wanted, before):
        try:
            after = await changes.make(change, before.id, ctx)
        except ChatwootError as error:
            failures[change.field] = error
        else:
            made.add(change.field)
    after = after or await _read_back(plan, before, made, progress, ctx)
    for change in wanted:
        _report(change, made, failures, after, progress)
    _tell_side_effects(plan, before, after, progress)
    return _result(wanted, after, progress, ctx)


async def _read_back(
    plan: _Plan, before: Conversation, made: set[str], progress: _Progress, ctx: Context
) -> Conversation:
    if not made:
        return before
    try:
        return await ctx.client.conversations.show(plan.account_id, before.id)
    except ChatwootError:
        progress.warnings.append("The conversation could not be read back: it is shown as it was before the changes.")
        return before


def _report(
    change: Change, made: set[str], failures: dict[str, Exception], after: Conversation, progress: _Progress
) -> None:
    step: Any = change.field
    if change.is_so(after):
        progress.tell(step, "done" if change.field in made | failures.keys() else "already_done")
    elif change.field in failures:
        progress.failed(step, failures[change.field])
    else:
        progress.tell(step, "not_applied", "Chatwoot, or an automation rule in it, set something else")


def _tell_side_effects(plan: _Plan, before: Conversation, after: Conversation, progress: _Progress) -> None:
    was, now = changes.assignee_of(before), changes.assignee_of(after)
    if plan.agent_id is None and was is not None and was != now:
        progress.warnings.append(f"Chatwoot changed the assignee: it was agent {was}, now it is {now or 'nobody'}.")


def _result(wanted: list[Change], after: Conversation, progress: _Progress, ctx: Context) -> EscalateToHumanResult:
    return EscalateToHumanResult(
        complete=all(step.status in {"done", "already_done"} for step in progress.steps),
        steps=progress.steps,
        conversation=conversation_view(after, ctx.client.base_url),
        contact=named(after.meta.sender),
        not_applied=[change.as_not_applied(after) for change in wanted if not change.is_so(after)],
        warnings=progress.warnings or None,
    )


async def _dry_run(plan: _Plan, ctx: Context) -> EscalateToHumanResult:
    """What is known without writing: the requests for a conversation that exists, else only the steps."""
    conversation: Conversation | None = None
    if plan.args.conversation_id is not None:
        conversation = await changes.show(plan.account_id, plan.args.conversation_id, ctx)
    names: list[StepName] = ["conversation", "note", "status"]
    asked: dict[StepName, Any] = {
        "message": plan.args.message,
        "team": plan.team_id,
        "assignee": plan.agent_id,
        "labels": plan.labels,
        "priority": plan.args.priority,
    }
    names.extend(name for name, value in asked.items() if value)
    wanted = _wanted(plan, conversation) if conversation else []
    return EscalateToHumanResult(
        complete=False,
        steps=[Step(step=name, status="skipped", detail="dry run") for name in names],
        conversation=conversation_view(conversation, ctx.client.base_url) if conversation else None,
        requests=[
            prepared(change.write) for change in (_needed(wanted, conversation) if conversation else ()) if change.write
        ],
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
