"""Which account a call is about."""

from __future__ import annotations

from aiochatwoot.errors import BotEndpointClosed
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import NAME_CHARS, clean


async def resolve_account(asked: int | None, ctx: Context) -> int:
    """The account asked for, else the default, else the only one that the token has.

    Raises ToolFailure ``account_required`` with the accounts to choose from, or ``not_allowed``.
    """
    account_id = asked or ctx.policy.default_account or await _only_account(ctx)
    ctx.policy.check_account(account_id)
    return account_id


async def _only_account(ctx: Context) -> int:
    try:
        profile = await ctx.directory.profile()
    except BotEndpointClosed:
        text = "Give account_id: a bot's token does not tell its accounts, and CHATWOOT_ACCOUNT_ID is not set."
        raise ToolFailure("account_required", text, field="account_id") from None
    allowed = ctx.policy.allowed_accounts
    accounts = [account for account in profile.accounts if allowed is None or account.id in allowed]
    if len(accounts) == 1:
        return accounts[0].id
    listed = [f"{account.id} ({clean(account.name, NAME_CHARS)})" for account in accounts[:10]]
    text = f"Give account_id. Accounts that the token may use here: {', '.join(listed) or 'none'}."
    raise ToolFailure("account_required", text, field="account_id")
