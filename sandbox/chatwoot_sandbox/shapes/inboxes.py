"""The JSON shapes of inboxes, agents and teams."""

from __future__ import annotations

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.rails import InternalError
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

_DAYS = 7


def agent_view(store: Store, account_id: int, user_id: int) -> Row | None:
    """A user as the account's agent; None when not a member."""
    row = store.row(
        "SELECT users.*, role, availability FROM users JOIN account_users ON user_id = id "
        "WHERE account_id = ? AND id = ?",
        account_id,
        user_id,
    )
    if row is None:
        return None
    return {
        "id": row["id"],
        "account_id": account_id,
        "availability_status": row["availability"],
        "auto_offline": True,
        "confirmed": True,
        "email": row["email"],
        "provider": "email",
        "available_name": row["display_name"] or row["name"],
        "name": row["name"],
        "role": row["role"],
        "thumbnail": "",
        "custom_role_id": None,
    }


def team_view(store: Store, actor: Actor, team: Row) -> Row:
    """A team as the caller sees it. Chatwoot asks the caller for its teams, which a bot does not have: 500."""
    if actor.is_bot:
        raise InternalError
    member = store.row("SELECT 1 FROM team_members WHERE team_id = ? AND user_id = ?", team["id"], actor.id)
    return {
        "id": team["id"],
        "name": team["name"],
        "description": team["description"],
        "allow_auto_assign": bool(team["allow_auto_assign"]),
        "account_id": team["account_id"],
        "is_member": member is not None,
    }


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
