"""What Chatwoot made of what was asked: the difference, argument by argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiochatwoot.models import Conversation, Message
from chatwoot_tools.digest import same, without_stamp
from chatwoot_tools.results.not_applied import Fix, NotApplied
from chatwoot_tools.text import clean, clean_json
from chatwoot_tools.writing import messages
from chatwoot_tools.writing.opening.wanted import WantedConversation

_ECHO_CHARS = 200

_REUSED = "The inbox keeps one conversation per contact: Chatwoot gave back the existing one and ignored this."
_BLOCKED = "The contact is blocked: Chatwoot creates their conversations resolved."
_BOT = "A bot answers in this inbox: Chatwoot creates conversations there pending."
_PENDING = "Chatwoot made it pending, as it usually does where a bot answers."
_UNASSIGNED = "Nobody is assigned: usually Chatwoot clears who is not in the team or not in the account."
_REASSIGNED = "Somebody else is assigned: usually by Chatwoot's auto-assignment."
_TEAM = "Chatwoot did not set the team."
_SINCE = "This is how it is now: Chatwoot did something else, or somebody has changed it since."
_CHANGED = "Chatwoot, or an automation rule in it, set something else."
_LIQUID = "Chatwoot changed the text: usually because it renders Liquid."


def not_applied(
    wanted: WantedConversation,
    conversation: Conversation,
    message: Message | None,
    *,
    reused: bool,
    outcome: str,
    with_bot: bool,
) -> list[NotApplied]:
    """One entry for every argument that was not honoured; where a call can still achieve it, with that call.

    ``message``: the first one, where it is known. ``with_bot``: the inbox was seen to have one; a reason that nobody
    has looked up says "usually".
    """
    found = [
        *_status(wanted, conversation, with_bot),
        *_people(wanted, conversation),
        *_attributes(wanted, conversation),
    ]
    if reused or outcome == "already_created":
        found = [entry.model_copy(update={"reason": _REUSED if reused else _SINCE}) for entry in found]
    return found + list(_message(wanted, message, as_answered=outcome in {"created", "reused"}))


def made_otherwise(conversation: Conversation, *, with_bot: bool) -> str:
    """Why Chatwoot gave it another status than was to be expected."""
    sender = conversation.meta.sender
    if conversation.status == "resolved" and sender is not None and sender.blocked:
        return _BLOCKED
    if conversation.status == "pending":
        return _BOT if with_bot else _PENDING
    return _CHANGED


def _status(wanted: WantedConversation, conversation: Conversation, with_bot: bool) -> Iterator[NotApplied]:
    if wanted.status is None or wanted.status == conversation.status:
        return
    yield NotApplied(
        field="status",
        asked=wanted.status,
        actual=conversation.status,
        reason=made_otherwise(conversation, with_bot=with_bot),
        fix=_update(conversation, status=wanted.status),
    )


def _people(wanted: WantedConversation, conversation: Conversation) -> Iterator[NotApplied]:
    team, assignee = conversation.meta.team, conversation.meta.assignee
    if wanted.team_id is not None and wanted.team_id != (team and team.id):
        yield NotApplied(
            field="team_id",
            asked=wanted.team_id,
            actual=team and team.id,
            reason=_CHANGED if team else _TEAM,
            fix=_update(conversation, team=str(wanted.team_id)),
        )
    if wanted.assignee_id is not None and wanted.assignee_id != (assignee and assignee.id):
        yield NotApplied(
            field="assignee_id",
            asked=wanted.assignee_id,
            actual=assignee and assignee.id,
            reason=_REASSIGNED if assignee else _UNASSIGNED,
            fix=_update(conversation, assignee=str(wanted.assignee_id)),
        )


def _attributes(wanted: WantedConversation, conversation: Conversation) -> Iterator[NotApplied]:
    custom = _missing(wanted.custom_attributes, conversation.custom_attributes)
    if custom:
        yield NotApplied(
            field="custom_attributes",
            asked=clean_json(custom, _ECHO_CHARS),
            reason=_CHANGED,
            fix=_update(conversation, custom_attributes=custom),
        )
    additional = _missing(wanted.additional_attributes, without_stamp(conversation.additional_attributes))
    if additional:
        # No endpoint of Chatwoot changes these afterwards, so there is no fix.
        yield NotApplied(field="additional_attributes", asked=clean_json(additional, _ECHO_CHARS), reason=_CHANGED)


def _missing(asked: dict[str, Any] | None, actual: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (asked or {}).items() if key not in actual or not same(actual[key], value)}


def _message(wanted: WantedConversation, sent: Message | None, *, as_answered: bool) -> Iterator[NotApplied]:
    asked = wanted.message.content if wanted.message else None
    if asked is None or sent is None or sent.content == asked:
        return
    at_once = _LIQUID if "{" in asked else _CHANGED
    yield NotApplied(
        field="message.content",
        asked=clean(asked, _ECHO_CHARS),
        actual=clean(sent.content or "", _ECHO_CHARS),
        reason=at_once if as_answered else messages.reads_otherwise(sent),
    )


def _update(conversation: Conversation, **changes: Any) -> Fix:
    target = {"account_id": conversation.account_id, "conversation_id": conversation.id}
    return Fix(tool="update_conversation", arguments={**target, **changes})
