"""The enums of Chatwoot's columns, in its order: most can be written as the number or the name."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class MessageType(IntEnum):
    """Stored and shown as its number."""

    INCOMING = 0
    OUTGOING = 1
    ACTIVITY = 2
    TEMPLATE = 3


STATUSES: Final = ("open", "resolved", "pending", "snoozed")
PRIORITIES: Final = ("low", "medium", "high", "urgent")
CONTENT_TYPES: Final = (
    *("text", "input_text", "input_textarea", "input_email", "input_select", "cards", "form", "article"),
    *("incoming_email", "input_csat", "integrations", "sticker", "voice_call"),
)
