"""Who the token is, and the account."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.shapes.accounts import account_view


def show_account(call: Call) -> Any:
    return account_view(call.account)


ROUTES: Final = (Route("GET", "", show_account),)
