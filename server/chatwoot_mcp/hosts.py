"""Ready configuration for the programs that start this server."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final, assert_never

from chatwoot_mcp.known_hosts import Host

_REAL: Final = {
    "CHATWOOT_BASE_URL": "https://chatwoot.example.com",
    "CHATWOOT_API_TOKEN": "paste the access token of your Chatwoot profile page",
    "CHATWOOT_ACCOUNT_ID": "1",
}


def command_path() -> str:
    """The installed command, as an absolute path: hosts start it with a nearly empty environment."""
    beside = Path(sys.executable).with_name("chatwoot-mcp")
    return str(beside) if beside.exists() else shutil.which("chatwoot-mcp") or "chatwoot-mcp"


def snippet(host: Host, command: str) -> str:
    """What to paste, and where. The sandbox entry works as it stands; the real one wants its three values."""
    match host:
        case "claude-desktop":
            return f"In claude_desktop_config.json:\n{_json({'mcpServers': _entries(command)})}"
        case "cursor":
            return f"In .cursor/mcp.json:\n{_json({'mcpServers': _entries(command)})}"
        case "vscode":
            servers = {name: {"type": "stdio", **entry} for name, entry in _entries(command).items()}
            return f"In .vscode/mcp.json:\n{_json({'servers': servers})}"
        case "claude-code":
            settings = " ".join(f"-e {name}='{value}'" for name, value in _REAL.items())
            return (
                f"claude mcp add chatwoot-sandbox -- {command} --sandbox\n"
                f"claude mcp add chatwoot {settings} -- {command}"
            )
        case "inspector":
            return f"npx @modelcontextprotocol/inspector {command} --sandbox"
        case _:
            assert_never(host)


def _entries(command: str) -> dict[str, Any]:
    return {
        "chatwoot-sandbox": {"command": command, "args": ["--sandbox"]},
        "chatwoot": {"command": command, "args": [], "env": _REAL},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)
