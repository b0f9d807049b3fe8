"""What ``create_conversation`` takes and returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from chatwoot_tools.arguments.attributes import Attributes, not_ours
from chatwoot_tools.arguments.inputs import FaultsInside, Id, Key, ResponseFormat, Text, WriteInput
from chatwoot_tools.arguments.messages import FirstMessage
from chatwoot_tools.results.conversations import ConversationView
from chatwoot_tools.results.messages import MessageView
from chatwoot_tools.results.not_applied import NotApplied
from chatwoot_tools.results.requests import PreparedRequest
from chatwoot_tools.tool import Result
from chatwoot_tools.writing.opening.wanted import WantedConversation

MAX_SOURCE_ID: Final = 20_000
"""Chatwoot's own limit (v4.15.1): beyond it, it answers 422."""


def _additional(attributes: dict[str, Any]) -> dict[str, Any]:
    not_ours(attributes)
    if "referer" in attributes and not _is_web_address(attributes["referer"]):
        raise FaultsInside((("referer",), "is not an http or https address, and Chatwoot would drop it"))
    return attributes


def _is_web_address(value: Any) -> bool:
    try:
        parts = urlsplit(str(value))
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


class CreateConversation(WriteInput):
    inbox_id: Annotated[Id | None, Field(description="Inbox's id.")] = None
    contact_id: Annotated[Id | None, Field(description="Customer's id.")] = None
    source_id: Annotated[
        Text | None,
        Field(
            max_length=MAX_SOURCE_ID,
            description="Customer's identity in the inbox; needed on Facebook, Instagram, Telegram, LINE, Twitter, "
            "TikTok. A known one may stand for both ids.",
        ),
    ] = None
    status: Annotated[Literal["open", "resolved", "pending"] | None, Field(description="Default: open.")] = None
    assignee_id: Annotated[Id | None, Field(description="Id of an agent of the inbox.")] = None
    team_id: Annotated[Id | None, Field(description="Team's id; an assignee must be in it.")] = None
    additional_attributes: Annotated[
        Attributes | None,
        AfterValidator(lambda value: value and _additional(value)),
        Field(description="Chatwoot's, e.g. mail_subject, referer."),
    ] = None
    custom_attributes: Annotated[Attributes | None, Field(description="Your own fields.")] = None
    message: Annotated[FirstMessage | None, Field(description="First message: content, private, template_params.")] = (
        None
    )
    idempotency_key: Annotated[Key | None, Field(description="A repeated call with it opens no second one.")] = None
    response_format: ResponseFormat = "concise"

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if "source_id" not in given:
            for field in ("inbox_id", "contact_id"):
                if field not in given:
                    yield field, "is required, unless a known source_id is given"

    def wanted(self) -> WantedConversation:
        return WantedConversation(**{each.name: getattr(self, each.name) for each in fields(WantedConversation)})


class CreateConversationResult(Result):
    outcome: Literal["created", "reused", "already_created", "recovered", "dry_run"]
    conversation: ConversationView | None = None
    message: MessageView | None = None
    request: PreparedRequest | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None
    raw: dict[str, Any] | None = None
