"""Agents, and people as authors of messages."""

from __future__ import annotations

from chatwoot_sandbox.store.store import Row, Store


def available_name(user: Row) -> str:
    return str(user["display_name"] or user["name"])


def user_push(store: Store, account_id: int, user: Row) -> Row:
    member = store.row(
        "SELECT availability FROM account_users WHERE account_id = ? AND user_id = ?", account_id, user["id"]
    )
    return {
        "id": user["id"],
        "name": user["name"],
        "available_name": available_name(user),
        "avatar_url": "",
        "type": "user",
        "availability_status": member["availability"] if member else "offline",
        "thumbnail": "",
    }


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
