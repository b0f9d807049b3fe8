"""What ``create_conversation`` takes and returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from chatwoot_tools.arguments.attributes import Attributes
from chatwoot_tools.arguments.inputs import FaultsInside, Id, Input, JsonObject, Key, ResponseFormat, Text, WriteInput
from chatwoot_tools.results.views import STAMP_KEY, ConversationView, MessageView, NotApplied, PreparedRequest
from chatwoot_tools.tool import Result

MAX_CONTENT: Final = 150_000
MAX_SOURCE_ID: Final = 20_000
"""Chatwoot's own limits (v4.15.1): beyond them it answers 422."""


def _additional(attributes: dict[str, Any]) -> dict[str, Any]:
    if STAMP_KEY in attributes:
        raise FaultsInside(((STAMP_KEY,), "is set by this server itself"))
    if "referer" in attributes and not _is_web_address(attributes["referer"]):
        raise FaultsInside((("referer",), "is not an http or https address, and Chatwoot would drop it"))
    return attributes


def _is_web_address(value: Any) -> bool:
    try:
        parts = urlsplit(str(value))
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


class TemplateParams(Input):
    """An approved template of a WhatsApp inbox, and its values."""

    name: Annotated[Text, Field(description="Name.")]
    category: Annotated[Text | None, Field(description="e.g. UTILITY.")] = None
    language: Annotated[Text | None, Field(description="e.g. en_US.")] = None
    namespace: Annotated[Text | None, Field(description="Namespace.")] = None
    processed_params: Annotated[
        JsonObject | None, Field(description='{"body":{"1":"Jane"}}; on Twilio {"1":"Jane"}.')
    ] = None


class FirstMessage(Input):
    """The first message, sent in the same transaction."""

    content: Annotated[Text | None, Field(max_length=MAX_CONTENT, description="Chatwoot renders {{Liquid}}.")] = None
    private: Annotated[bool, Field(description="Team only.")] = False
    template_params: Annotated[
        TemplateParams | None,
        Field(description="WhatsApp template: name, category, language, namespace, processed_params."),
    ] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if "content" not in given and "template_params" not in given:
            yield "content", "is required, unless template_params names a template"


class CreateConversation(WriteInput):
    inbox_id: Annotated[Id | None, Field(description="Inbox.")] = None
    contact_id: Annotated[Id | None, Field(description="Customer.")] = None
    source_id: Annotated[
        Text | None,
        Field(
            max_length=MAX_SOURCE_ID,
            description="Their identity in the inbox; needed on Facebook, Instagram, Telegram, LINE, Twitter, "
            "TikTok. A known one may stand for both ids.",
        ),
    ] = None
    status: Annotated[Literal["open", "resolved", "pending"] | None, Field(description="Default open.")] = None
    assignee_id: Annotated[Id | None, Field(description="Agent of the inbox.")] = None
    team_id: Annotated[Id | None, Field(description="Team; holds the assignee.")] = None
    additional_attributes: Annotated[
        Attributes | None,
        AfterValidator(lambda value: value and _additional(value)),
        Field(description="e.g. mail_subject, referer."),
    ] = None
    custom_attributes: Annotated[Attributes | None, Field(description="Own fields.")] = None
    message: Annotated[FirstMessage | None, Field(description="First: content, private, template_params.")] = None
    idempotency_key: Annotated[Key | None, Field(description="Same key: never a second one.")] = None
    response_format: ResponseFormat = "concise"

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if "source_id" not in given:
            for field in ("inbox_id", "contact_id"):
                if field not in given:
                    yield field, "is required, unless a known source_id is given"


class CreateConversationResult(Result):
    outcome: Literal["created", "reused", "already_created", "recovered", "dry_run"]
    conversation: ConversationView | None = None
    message: MessageView | None = None
    request: PreparedRequest | None = None
    not_applied: list[NotApplied]
    warnings: list[str] | None = None
    raw: dict[str, Any] | None = None
