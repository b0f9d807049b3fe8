"""What a route of the API is."""

from __future__ import annotations

from chatwoot_sandbox.call import Endpoint

Route = tuple[str, str, Endpoint, bool]
"""Method, path below the account, endpoint, and whether a bot's token may call it."""
