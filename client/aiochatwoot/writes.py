"""Every write, as a value: built here, shown by whoever wants to see it, sent by ``Chatwoot.perform``.

Each is sent once: after an error whose ``effect`` is not NONE, look before sending it again.
"""

from __future__ import annotations

from typing import Any

from aiochatwoot.request import File, Request, path

_ACCOUNT = "/api/v1/accounts/{account_id}"
_CONVERSATION = _ACCOUNT + "/conversations/{conversation_id}"


def create_conversation(account_id: int, body: dict[str, Any]) -> Request:
    """Open a conversation, or get an older one back where the inbox keeps a single one per contact."""
    return _post(path(f"{_ACCOUNT}/conversations", account_id=account_id), body)


def set_status(account_id: int, conversation_id: int, status: str, snoozed_until: int | None = None) -> Request:
    """``snoozed_until`` in unix seconds. An agent's token that opens a conversation takes it over.

    Answers ``{payload: {current_status}}``. Resolving may send the customer a survey.
    """
    body: dict[str, Any] = {"status": status}
    if snoozed_until is not None:
        body["snoozed_until"] = snoozed_until
    return _post(_conversation(account_id, conversation_id, "/toggle_status"), body)


def set_priority(account_id: int, conversation_id: int, priority: str | None) -> Request:
    """Set it, or None for none. Answers the conversation; of the PATCH only priority is known to Chatwoot."""
    where = _conversation(account_id, conversation_id)
    return Request("PATCH", where, {"priority": priority}, is_write=True)


def assign_agent(account_id: int, conversation_id: int, assignee_id: int | None) -> Request:
    """Assign an agent, or nobody. An unknown id unassigns, so look it up first."""
    return _post(_conversation(account_id, conversation_id, "/assignments"), {"assignee_id": assignee_id})


def assign_team(account_id: int, conversation_id: int, team_id: int | None) -> Request:
    """Assign a team or none, which clears an assignee outside it. An unknown id removes the team."""
    return _post(_conversation(account_id, conversation_id, "/assignments"), {"team_id": team_id})


def replace_labels(account_id: int, conversation_id: int, labels: list[str]) -> Request:
    """Replace the whole list. Answers ``{payload: labels}``."""
    return _post(_conversation(account_id, conversation_id, "/labels"), {"labels": labels})


def replace_custom_attributes(account_id: int, conversation_id: int, attributes: dict[str, Any]) -> Request:
    """Replace the whole map. Answers ``{custom_attributes}``."""
    where = _conversation(account_id, conversation_id, "/custom_attributes")
    return _post(where, {"custom_attributes": attributes})


def create_message(
    account_id: int, conversation_id: int, body: dict[str, Any], files: tuple[File, ...] = ()
) -> Request:
    """Write a message. One that is not private is delivered at once and cannot be taken back."""
    where = _conversation(account_id, conversation_id, "/messages")
    return Request("POST", where, body, is_write=True, files=files)


def create_contact(account_id: int, body: dict[str, Any]) -> Request:
    """Answers ``{payload: {contact}}``. A taken e-mail, phone number or identifier is Rejected."""
    return _post(path(f"{_ACCOUNT}/contacts", account_id=account_id), body)


def update_contact(account_id: int, contact_id: int, body: dict[str, Any]) -> Request:
    """Change what is given; attributes are merged at their top level. Answers ``{payload: contact}``."""
    where = path(f"{_ACCOUNT}/contacts/{{contact_id}}", account_id=account_id, contact_id=contact_id)
    return Request("PATCH", where, body, is_write=True)


def add_contact_to_inbox(account_id: int, contact_id: int, inbox_id: int) -> Request:
    """Have Chatwoot make the contact's identity in an inbox. Answers ``{source_id}``."""
    template = f"{_ACCOUNT}/contacts/{{contact_id}}/contact_inboxes"
    return _post(path(template, account_id=account_id, contact_id=contact_id), {"inbox_id": inbox_id})


def _post(where: str, body: dict[str, Any]) -> Request:
    return Request("POST", where, body, is_write=True)


def _conversation(account_id: int, conversation_id: int, rest: str = "") -> str:
    return path(_CONVERSATION, account_id=account_id, conversation_id=conversation_id) + rest
