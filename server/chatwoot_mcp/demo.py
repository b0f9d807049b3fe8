"""The main job in one command: a real server, on an embedded Chatwoot, used by a real client."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import mcp_types as types
from mcp import Client, StdioServerParameters

from chatwoot_mcp.adapter import ERROR_META
from chatwoot_mcp.hosts import command_path, snippet
from chatwoot_mcp.settings import SANDBOX_TOKEN
from chatwoot_sandbox import Sandbox, serve

PREFERRED_PORT: Final = 3000
MISTAKE: Final = {"inbox_id": 2, "contact_id": 1, "status": "closed", "asignee_id": 2}
"""A status that Chatwoot has not, and a misspelt name."""

Say = Callable[[str], None]


def request() -> dict[str, Any]:
    """The conversation that the demo opens: every id is one of the sandbox's."""
    return {
        "inbox_id": 2,
        "contact_id": 1,
        "status": "open",
        "assignee_id": 2,
        "team_id": 1,
        "custom_attributes": {"order_id": "A-1001"},
        "message": {"content": "Hello Jane, your order A-1001 is on its way."},
    }


async def run_demo(say: Say) -> int:
    """0 when the conversation was opened, the mistake was refused, and the link opens; else 1."""
    data = Path(tempfile.mkdtemp(prefix="chatwoot-demo-")) / "sandbox.db"
    sandbox = Sandbox(str(data))
    try:
        async with serve(sandbox, port=_port()) as base_url:
            say(f"An embedded Chatwoot runs at {base_url}. Starting the MCP server on it…")
            async with Client(_server(base_url)) as client:
                good = await _show(client, say)
            count = len(sandbox.store.rows("SELECT id FROM conversations WHERE account_id = 1"))
            say(f"The sandbox holds {count} conversations. To look at them, run this and open the link above:")
            say(f"  chatwoot-mcp sandbox --port {base_url.rsplit(':', 1)[1]} --data {data}")
    finally:
        sandbox.close()
    say("\nTo use it in Claude Desktop (other hosts: chatwoot-mcp config --help):")
    say(snippet("claude-desktop", command_path()))
    if not good:
        say("\nSomething did not go as it should: see above.")
    return 0 if good else 1


async def _show(client: Client, say: Say) -> bool:
    tools = (await client.list_tools()).tools
    say(f"\nIts tools: {', '.join(tool.name for tool in tools)}")
    say(f"\nopening a conversation: create_conversation {_json(request())}")
    opened = await client.call_tool("create_conversation", request())
    result: dict[str, Any] = opened.structured_content or {}
    say(_json(result, indent=2))
    say(f"\nmaking a mistake: create_conversation {_json(MISTAKE)}")
    refused = await client.call_tool("create_conversation", MISTAKE)
    say(f"refused, for the model: {_text(refused)}")
    say(f"refused, for programs: {_json((refused.meta or {}).get(ERROR_META))}")
    conversation: dict[str, Any] = result.get("conversation", {})
    say(f"\nConversation {conversation.get('id')} is {conversation.get('status')}: {conversation.get('url')}\n")
    return not opened.is_error and result.get("not_applied") == [] and bool(refused.is_error)


def _server(base_url: str) -> StdioServerParameters:
    """The server as a host would start it: a process of its own that is told everything by its environment."""
    env = {"CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": SANDBOX_TOKEN, "CHATWOOT_MCP_LOG_LEVEL": "WARNING"}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    return StdioServerParameters(command=sys.executable, args=["-m", "chatwoot_mcp"], env={**inherited, **env})


def _port() -> int:
    """The port of a Chatwoot in development, or any free one where that is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PREFERRED_PORT))
        except OSError:
            return 0
    return PREFERRED_PORT


def _text(result: types.CallToolResult) -> str:
    return " ".join(block.text for block in result.content if isinstance(block, types.TextContent))


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)
