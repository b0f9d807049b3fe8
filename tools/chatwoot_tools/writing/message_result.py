"""What writing into a conversation returns: by a reply, and by a note."""

from __future__ import annotations

from typing import Final, Literal

from chatwoot_tools.call.context import Context
from chatwoot_tools.results.messages import MessageView, message_view
from chatwoot_tools.results.requests import PreparedRequest, prepared
from chatwoot_tools.tool import Result
from chatwoot_tools.writing import messages

NOT_LOOKED_AT: Final = (
    "Not looked at, as the conversation is not shown to this bot's token: whether it exists, its status, and whether "
    "the channel's reply window is open."
)
_CHANGED: Final = "Chatwoot changed the text: message.content shows what was sent."


class MessageResult(Result):
    """What writing into a conversation returns."""

    outcome: Literal["sent", "already_sent", "recovered", "dry_run"]
    conversation_id: int
    message: MessageView | None = None
    request: PreparedRequest | None = None
    warnings: list[str] | None = None


async def dry_run(draft: messages.Draft, asked: str | None, warnings: list[str], ctx: Context) -> MessageResult:
    """What would be sent; of a key that was used before, what it sent."""
    if earlier := await messages.sent_before(draft, ctx, warnings):
        return written(earlier, draft.conversation_id, asked, warnings)
    return MessageResult(
        outcome="dry_run",
        conversation_id=draft.conversation_id,
        request=prepared(draft.request),
        warnings=warnings or None,
    )


def written(sent: messages.Sent, conversation_id: int, asked: str | None, warnings: list[str]) -> MessageResult:
    warnings = [*warnings, *sent.warnings]
    if sent.message is None:
        warnings.append("It was sent before, and cannot be shown any more.")
    elif asked is not None and sent.message.content != asked:
        warnings.append(
            _CHANGED if sent.outcome == "sent" else f"Not as asked: {messages.reads_otherwise(sent.message)}"
        )
    return MessageResult(
        outcome=sent.outcome,
        conversation_id=conversation_id,
        message=message_view(sent.message) if sent.message else None,
        warnings=warnings or None,
    )
