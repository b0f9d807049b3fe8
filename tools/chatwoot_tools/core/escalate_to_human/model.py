"""What ``escalate_to_human`` takes and returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from chatwoot_tools.arguments.inputs import Id, Key, NameOrId, Priority, Text, Titles, WriteInput
from chatwoot_tools.arguments.messages import MAX_CONTENT
from chatwoot_tools.results.contacts import Email, Phone
from chatwoot_tools.results.conversations import ConversationView
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.results.parts import Named
from chatwoot_tools.results.requests import PreparedRequest
from chatwoot_tools.tool import Output, Result
from chatwoot_tools.writing import changes
from chatwoot_tools.writing.contacts import UNIQUE

StepName = Literal["contact", "conversation", "message", "note", "status", "team", "assignee", "labels", "priority"]
StepStatus = Literal["done", "already_done", "planned", "not_applied", "failed", "unknown", "skipped"]


class EscalateToHuman(WriteInput):
    conversation_id: Annotated[
        Id | None, Field(description="Existing conversation; otherwise give a customer and an inbox.")
    ] = None
    contact_id: Annotated[
        Id | None, Field(description="Customer's id; otherwise found by the next three, or created.")
    ] = None
    email: Annotated[Email | None, Field(description="E-mail address.")] = None
    phone_number: Annotated[Phone | None, Field(description="As +15551234567.")] = None
    identifier: Annotated[Text | None, Field(max_length=255, description="Your own system's id.")] = None
    name: Annotated[Text | None, Field(max_length=255, description="Name for a new contact.")] = None
    inbox: Annotated[NameOrId | None, Field(description="Name or id.")] = None
    summary: Annotated[Text, Field(max_length=MAX_CONTENT, description="Private note: what the team must know.")]
    message: Annotated[Text | None, Field(max_length=MAX_CONTENT, description="Sent to the customer.")] = None
    priority: Annotated[Priority | None, Field(description="New priority.")] = None
    team: Annotated[NameOrId | None, Field(description="Name or id.")] = None
    assignee: Annotated[NameOrId | None, Field(description="Name, e-mail or id.")] = None
    labels: Annotated[Titles | None, Field(description="Labels to add.")] = None
    idempotency_key: Annotated[Key | None, Field(description="Default: made from the arguments.")] = None

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
    outcome: Literal["complete", "incomplete", "dry_run"]
    complete: bool
    steps: list[Step]
    conversation_id: int | None = None
    conversation: ConversationView | None = None
    contact: Named | None = None
    requests: list[PreparedRequest] | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None
