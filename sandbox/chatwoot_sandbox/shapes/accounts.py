"""An account, and a person's profile."""

from __future__ import annotations

from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store


def profile_view(store: Store, user: Row, token: str) -> Row:
    """A person's profile. As in Chatwoot, it holds the token itself."""
    memberships = store.rows(
        "SELECT accounts.*, role, availability FROM account_users JOIN accounts ON account_id = id "
        "WHERE user_id = ? ORDER BY id",
        user["id"],
    )
    return {
        "access_token": token,
        "account_id": memberships[0]["id"] if memberships else None,
        "available_name": user["display_name"] or user["name"],
        "avatar_url": "",
        "confirmed": True,
        "display_name": user["display_name"],
        "message_signature": None,
        "email": user["email"],
        "id": user["id"],
        "inviter_id": None,
        "name": user["name"],
        "provider": "email",
        "pubsub_token": None,
        "role": memberships[0]["role"] if memberships else None,
        "ui_settings": {},
        "uid": user["email"],
        "type": None,
        "accounts": [_membership(row) for row in memberships],
    }


def _membership(row: Row) -> Row:
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "onboarding_step": None,
        "active_at": iso(row["created_at"]),
        "role": row["role"],
        "permissions": [row["role"]],
        "availability": row["availability"],
        "availability_status": row["availability"],
        "auto_offline": True,
    }


def account_view(account: Row) -> Row:
    return {
        "settings": {},
        "created_at": iso(account["created_at"]),
        "custom_attributes": {},
        "domain": None,
        "features": json_columns.load(account["features"]),
        "id": account["id"],
        "locale": account["locale"],
        "name": account["name"],
        "support_email": None,
        "status": account["status"],
        "cache_keys": {},
        "latest_chatwoot_version": None,
    }
