"""Inboxes, who works in them, and their agent bot."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.shapes.agent_bots import agent_bot_view
from chatwoot_sandbox.shapes.agents import agent_view
from chatwoot_sandbox.shapes.inboxes import inbox_view


def list_inboxes(call: Call) -> Any:
    inboxes = call.store.rows("SELECT * FROM inboxes WHERE account_id = ? ORDER BY name", call.account_id)
    seen = [inbox for inbox in inboxes if can_see_inbox(call.store, call.actor, inbox["id"])]
    return {"payload": [inbox_view(inbox, admin=_is_admin(call)) for inbox in seen]}


def show_inbox(call: Call) -> Any:
    return inbox_view(require_inbox(call, call.path_id("inbox_id")), admin=_is_admin(call))


def list_members(call: Call) -> Any:
    inbox = require_inbox(call, call.path_id("inbox_id"))
    rows = call.store.rows("SELECT user_id FROM inbox_members WHERE inbox_id = ? ORDER BY user_id", inbox["id"])
    return {"payload": [agent_view(call.store, call.account_id, row["user_id"]) for row in rows]}


def show_agent_bot(call: Call) -> Any:
    """The connected bot with its token, even for agents; ``{}`` without one (in all versions up to v4.15.1)."""
    inbox = require_inbox(call, call.path_id("inbox_id"))
    bot = call.store.by_id("agent_bots", inbox["agent_bot_id"])
    return {"agent_bot": agent_bot_view(call.store, bot, admin=_is_admin(call))} if bot else {}


def _is_admin(call: Call) -> bool:
    return call.actor.role == "administrator"


ROUTES: Final = (
    Route("GET", "/inboxes", list_inboxes),
    Route("GET", "/inboxes/{inbox_id}", show_inbox),
    Route("GET", "/inboxes/{inbox_id}/agent_bot", show_agent_bot),
    Route("GET", "/inbox_members/{inbox_id}", list_members),
)
