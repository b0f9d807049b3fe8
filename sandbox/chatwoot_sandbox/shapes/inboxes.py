"""Inboxes: whole, inside a contact, and as the bare record."""

from __future__ import annotations

from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row

_DAYS = 7


def slim_inbox(inbox: Row) -> Row:
    """An inbox inside a contact."""
    return {
        "id": inbox["id"],
        "avatar_url": "",
        "channel_id": inbox["id"],
        "name": inbox["name"],
        "channel_type": inbox["channel_type"],
        "provider": json_columns.load(inbox["channel"]).get("provider"),
    }


def inbox_view(inbox: Row, *, admin: bool) -> Row:
    """An inbox; administrators get the channel's secrets as well."""
    view: Row = {
        **slim_inbox(inbox),
        "greeting_enabled": False,
        "greeting_message": None,
        "working_hours_enabled": False,
        "enable_email_collect": True,
        "csat_survey_enabled": bool(inbox["csat_survey_enabled"]),
        "csat_config": {},
        "enable_auto_assignment": bool(inbox["enable_auto_assignment"]),
        "auto_assignment_config": {},
        "out_of_office_message": None,
        "working_hours": [{"day_of_week": day, "closed_all_day": False} for day in range(_DAYS)],
        "timezone": "UTC",
        "callback_webhook_url": None,
        "allow_messages_after_resolved": True,
        "lock_to_single_conversation": bool(inbox["lock_to_single_conversation"]),
        "sender_name_type": "friendly",
        "business_name": None,
        "hmac_mandatory": None,
        "website_url": None,
        "website_token": None,
        "messaging_service_sid": None,
        "phone_number": None,
        **json_columns.load(inbox["channel"]),
    }
    return {**view, **json_columns.load(inbox["channel_secrets"])} if admin else view


def raw_inbox(inbox: Row) -> Row:
    """The inbox's bare record."""
    flags = ("enable_auto_assignment", "lock_to_single_conversation", "csat_survey_enabled")
    plain = {key: inbox[key] for key in ("id", "account_id", "name", "channel_type")}
    return {**plain, "channel_id": inbox["id"], **{key: bool(inbox[key]) for key in flags}}
