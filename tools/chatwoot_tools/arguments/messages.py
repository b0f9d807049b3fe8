"""What a message is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import Field

from chatwoot_tools.arguments.inputs import Input, JsonObject, Text

MAX_CONTENT: Final = 150_000
"""Chatwoot's own limit (v4.15.1): beyond it, it answers 422."""


class TemplateParams(Input):
    """An approved template of a WhatsApp inbox, and its values."""

    name: Annotated[Text, Field(description="Template's name.")]
    category: Annotated[Text | None, Field(description="e.g. UTILITY.")] = None
    language: Annotated[Text | None, Field(description="e.g. en_US.")] = None
    namespace: Annotated[Text | None, Field(description="Rarely needed.")] = None
    processed_params: Annotated[
        JsonObject | None, Field(description='Values: {"body":{"1":"Jane"}}; on Twilio {"1":"Jane"}.')
    ] = None


class FirstMessage(Input):
    """The first message, sent in the same transaction."""

    content: Annotated[Text | None, Field(max_length=MAX_CONTENT, description="Text; Chatwoot renders {{Liquid}}.")] = (
        None
    )
    private: Annotated[bool, Field(description="Only the team sees it.")] = False
    template_params: Annotated[
        TemplateParams | None,
        Field(description="WhatsApp template: name, category, language, namespace, processed_params."),
    ] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if "content" not in given and "template_params" not in given:
            yield "content", "is required, unless template_params names a template"
