"""Who calls: Chatwoot's checks of token, owner, account and membership, in its order."""

from __future__ import annotations

from starlette.datastructures import Headers

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.rails import NotAuthorized, Refusal, ResourceNotFound, leading_int
from chatwoot_sandbox.store.store import Row, Store

_SIGN_IN = "You need to sign in or sign up before continuing."
_NOT_FOR_BOTS = "Access to this endpoint is not authorized for bots"


def read_token(headers: Headers) -> str:
    """The token; Rack reads both spellings of the header, and a blank token counts as none."""
    token = headers.get("api_access_token") or headers.get("api-access-token") or ""
    if not token.strip():
        raise Refusal(401, {"errors": [_SIGN_IN]})
    return token.strip()


def find_owner(store: Store, token: str, *, bots_allowed: bool) -> tuple[str, Row]:
    """The kind and row of the token's owner."""
    found = store.row("SELECT * FROM access_tokens WHERE token = ?", token)
    if found is None:
        raise NotAuthorized("Invalid Access Token")
    kind = found["owner_type"]
    if kind == "PlatformApp" or (kind == "AgentBot" and not bots_allowed):
        raise NotAuthorized(_NOT_FOR_BOTS)
    table = "agent_bots" if kind == "AgentBot" else "users"
    owner = store.row(f"SELECT * FROM {table} WHERE id = ?", found["owner_id"])  # noqa: S608 - one of two names
    if owner is None:
        raise NotAuthorized("Invalid Access Token")
    return kind, owner


def find_account(store: Store, path_value: str) -> Row:
    account = store.row("SELECT * FROM accounts WHERE id = ?", leading_int(path_value))
    if account is None:
        raise ResourceNotFound
    if account["status"] == "suspended":
        raise NotAuthorized("Account is suspended")
    return account


def require_member(store: Store, kind: str, owner: Row, account: Row) -> Actor:
    """The owner as a member of the account."""
    if kind == "AgentBot":
        attached = store.row(
            "SELECT 1 FROM inboxes WHERE account_id = ? AND agent_bot_id = ?", account["id"], owner["id"]
        )
        of_account = owner["account_id"] == account["id"] and not store.version.before(4, 11)
        if not of_account and attached is None:
            raise NotAuthorized("Bot is not authorized to access this account")
        return Actor("AgentBot", owner, None)
    membership = store.row(
        "SELECT role FROM account_users WHERE account_id = ? AND user_id = ?", account["id"], owner["id"]
    )
    if membership is None:
        raise NotAuthorized("You are not authorized to access this account")
    return Actor("User", owner, membership["role"])
