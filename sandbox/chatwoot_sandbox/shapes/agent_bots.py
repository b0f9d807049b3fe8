"""Agent bots, short in conversations and whole with their inbox."""

from __future__ import annotations

from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store.store import Row, Store


def slim_agent_bot(bot: Row) -> Row:
    return {
        "id": bot["id"],
        "name": bot["name"],
        "description": bot["description"],
        "thumbnail": "",
        "bot_type": "webhook",
    }


def agent_bot_view(store: Store, bot: Row, *, admin: bool) -> Row:
    """An inbox's bot. Everybody also gets the token of a bot that the account owns, and administrators its secret."""
    own = bot["account_id"] is not None
    view: Row = {
        "id": bot["id"],
        "name": bot["name"],
        "description": bot["description"],
        "thumbnail": "",
        **({"outgoing_url": None} if own else {}),
        "bot_type": "webhook",
        "bot_config": {},
        "account_id": bot["account_id"],
    }
    if own:
        view["access_token"] = _access_token(store, bot)
        if admin:
            view["secret"] = f"channel-secret-bot-{bot['id']}"
    return {**view, "system_bot": not own}


def _access_token(store: Store, bot: Row) -> Row | None:
    row = store.row(
        "SELECT rowid AS id, * FROM access_tokens WHERE owner_type = 'AgentBot' AND owner_id = ?", bot["id"]
    )
    account = store.by_id("accounts", bot["account_id"])
    made = iso(account["created_at"]) if account else None
    if row is None:
        return None
    return {**row, "created_at": made, "updated_at": made}
