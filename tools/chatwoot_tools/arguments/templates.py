"""Whether a message template exists in an inbox, and takes the given values.

Chatwoot sends a template that it does not know, or with other values, to Meta or Twilio all the same; it fails
there, minutes later, with nobody looking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from aiochatwoot.models import Inbox
from chatwoot_tools.arguments.messages import TemplateParams
from chatwoot_tools.facts.channels import channel_rules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import clean

_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_SHOWN: Final = 10
_PARTS: Final = {"body", "header", "buttons", "footer"}


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: the names of the values that its body takes, and whether its header takes media."""

    name: str
    language: str
    body: frozenset[str]
    header_media: bool = False


def approved_templates(inbox: Inbox) -> list[Template]:
    """The inbox's templates, as WhatsApp (components) and Twilio (content templates) describe them."""
    rules = channel_rules(inbox.channel_type, inbox.medium)
    if rules is None or rules.name not in {"whatsapp", "twilio_whatsapp"}:
        return []
    read = _from_twilio if rules.name == "twilio_whatsapp" else _from_whatsapp
    source = inbox.content_templates if rules.name == "twilio_whatsapp" else inbox.message_templates
    return [read(entry) for entry in _entries(source) if str(entry.get("status", "")).lower() == "approved"]


def check_template(asked: TemplateParams, inbox: Inbox, field: str) -> None:
    """Raises ToolFailure ``template_invalid`` with the names, languages or values that the inbox has instead.

    And ``invalid_arguments`` where the values have not the shape that Chatwoot reads.
    """
    try:
        _check(asked, inbox)
    except ToolFailure as told:
        told.field = f"{field}.{told.field}"
        raise


def _check(asked: TemplateParams, inbox: Inbox) -> None:
    templates = approved_templates(inbox)
    same_name = [template for template in templates if template.name == asked.name]
    if not same_name:
        names = sorted({template.name for template in templates})
        raise _invalid("name", f"inbox {inbox.id} has no approved template of that name", "Its templates", names)
    language = asked.language or ("en" if inbox.medium else "")
    for template in same_name:
        if template.language.lower() == language.lower():
            return _check_values(asked, template, flat=bool(inbox.medium))
    languages = sorted({template.language for template in same_name})
    raise _invalid("language", "the template has no such language", "Its languages", languages)


def _check_values(asked: TemplateParams, template: Template, *, flat: bool) -> None:
    """``flat``: on Twilio the map is the body's values."""
    given = asked.processed_params or {}
    # Without one of these keys the map is the older flat form, which Chatwoot takes as the body.
    if flat or not _PARTS & given.keys():
        given = {"body": given}
    if frozenset(_part(given, "body")) != template.body:
        raise _invalid("processed_params", "the template's body takes other values", "It takes", sorted(template.body))
    if template.header_media and "media_url" not in _part(given, "header"):
        raise _invalid("processed_params", "the template's header needs a media_url", "It takes", ["header.media_url"])


def _part(given: dict[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        text = f"Nothing was sent to Chatwoot. `processed_params.{name}` must be an object."
        raise ToolFailure("invalid_arguments", text, field=f"processed_params.{name}")
    return cast("dict[str, Any]", value or {})


def _invalid(field: str, why: str, what: str, instead: Iterable[str]) -> ToolFailure:
    listed = ", ".join(clean(each, 60) for each in list(instead)[:_SHOWN]) or "none"
    text = f"Nothing was sent: `template_params.{field}`: {why}. {what}: {listed}."
    return ToolFailure("template_invalid", text, field=field)


def _entries(source: Any) -> list[dict[str, Any]]:
    if isinstance(source, dict):
        source = cast("dict[str, Any]", source).get("templates")
    entries = cast("list[Any]", source) if isinstance(source, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def _from_whatsapp(entry: dict[str, Any]) -> Template:
    parts = {str(part.get("type", "")).upper(): part for part in _entries(entry.get("components"))}
    body = str(parts.get("BODY", {}).get("text") or "")
    header = str(parts.get("HEADER", {}).get("format") or "TEXT").upper()
    return Template(
        str(entry.get("name")),
        str(entry.get("language") or ""),
        frozenset(_PLACEHOLDER.findall(body)),
        header_media=header in {"IMAGE", "VIDEO", "DOCUMENT"},
    )


def _from_twilio(entry: dict[str, Any]) -> Template:
    variables = entry.get("variables")
    names = (
        cast("dict[str, Any]", variables)
        if isinstance(variables, dict)
        else _PLACEHOLDER.findall(str(entry.get("body") or ""))
    )
    return Template(str(entry.get("friendly_name")), str(entry.get("language") or "en"), frozenset(names))
