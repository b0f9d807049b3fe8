"""What a call is to do, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Conversation, Inbox, Message
from aiochatwoot.request import Request
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.names import inbox_called
from chatwoot_tools.call.context import Context
from chatwoot_tools.core.escalate_to_human.model import EscalateToHuman, Step, StepName, StepStatus
from chatwoot_tools.digest import digest
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.writing import changes

SAME_ESCALATION: Final = timedelta(days=1)
"""How long a call with the same arguments, and no key, is the same call again."""
NOT_YET: Final = 0
"""In a dry run: the id of what would be made."""
_UNSHOWN: Final = "not shown to this bot's token: whether it exists is known once something is written into it"


@dataclass(frozen=True, slots=True)
class Plan:
    """The call with its names resolved. ``seed`` marks what this call makes, so that the same call finds it again.

    Without an idempotency key the arguments are the seed; then equal ones on another day are another escalation.
    """

    args: EscalateToHuman
    account_id: int
    inbox: Inbox | None
    team_id: int | None
    agent_id: int | None
    labels: list[str]
    seed: str

    @property
    def inbox_id(self) -> int | None:
        return self.inbox.id if self.inbox else None

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
class Progress:
    """The steps so far. In a rehearsal (a dry run) each write is kept among the ``requests`` instead of sent."""

    is_rehearsal: bool = False
    steps: list[Step] = field(default_factory=list[Step])
    warnings: list[str] = field(default_factory=list[str])
    requests: list[Request] = field(default_factory=list[Request])

    @property
    def may_have_written(self) -> bool:
        return any(step.status in {"done", "unknown"} for step in self.steps)

    def tell(self, step: StepName, status: StepStatus, detail: str | None = None) -> None:
        self.steps.append(Step(step=step, status=status, detail=detail))

    def plan(self, step: StepName, detail: str, request: Request | None) -> None:
        """In a rehearsal: what would be done. ``request`` is None where another step's makes it so."""
        self.tell(step, "planned", detail)
        if request is not None:
            self.requests.append(request)

    def failed(self, step: StepName, error: Exception) -> None:
        told = error if isinstance(error, ToolFailure) else explain(error) if isinstance(error, ChatwootError) else None
        unknown = told is not None and told.code == "outcome_unknown"
        self.tell(step, "unknown" if unknown else "failed", told.text if told else "unforeseen")

    def tell_of_unseen_conversation(self) -> None:
        """Whether there is one that was given, and is not shown to a bot's token: what was written into it tells."""
        if any(step.status in {"done", "already_done"} for step in self.steps):
            step = Step(step="conversation", status="already_done")
        else:
            step = Step(step="conversation", status="unknown", detail=_UNSHOWN)
        self.steps.insert(0, step)


@dataclass(frozen=True, slots=True)
class Found:
    """The conversation (None where it is not shown to a bot), and whether this call made it: then nothing of ours can
    be in it yet. In a rehearsal that is as Chatwoot is expected to make it, and its id is NOT_YET."""

    id: int
    conversation: Conversation | None
    is_new: bool = False


async def plan_of(args: EscalateToHuman, ctx: Context) -> Plan:
    """Every name looked up before anything is written. Raises ToolFailure."""
    account_id = await resolve_account(args.account_id, ctx)
    inbox: Inbox | None = None
    if args.inbox is not None:
        if await ctx.directory.role(account_id) == "bot":
            text = (
                "Nothing was sent. A bot's token cannot look for the customer's conversations, and would open one more "
                "with each call: give conversation_id."
            )
            raise ToolFailure("bot_not_allowed", text, field="conversation_id")
        inbox = await inbox_called(args.inbox, account_id, ctx)
    content = args.model_dump(mode="json", exclude={"idempotency_key", "dry_run", "account_id"}, exclude_none=True)
    return Plan(
        args,
        account_id,
        inbox,
        None if args.team is None else await changes.team_id_of(args.team, account_id, ctx),
        None if args.assignee is None else await changes.agent_id_of(args.assignee, account_id, ctx),
        await changes.titles_of(args.labels or [], "labels", account_id, ctx),
        args.idempotency_key or digest(content),
    )
