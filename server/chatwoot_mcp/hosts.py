"""Ready configuration for the programs that start this server."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_REAL: Final = {
    "CHATWOOT_BASE_URL": "https://chatwoot.example.com",
    "CHATWOOT_API_TOKEN": "paste the access token of your Chatwoot profile page",
    "CHATWOOT_ACCOUNT_ID": "1",
}


def command_path() -> str:
    """The installed command, as an absolute path: hosts start it with a nearly empty environment."""
    beside = Path(sys.executable).with_name("chatwoot-mcp")
    return str(beside) if beside.exists() else shutil.which("chatwoot-mcp") or "chatwoot-mcp"


def _claude_desktop(command: str) -> str:
    return f"In claude_desktop_config.json:\n{_json({'mcpServers': _entries(command)})}"


def _claude_code(command: str) -> str:
    settings = " ".join(f"-e {name}='{value}'" for name, value in _REAL.items())
    return f"claude mcp add chatwoot-sandbox -- {command} --sandbox\nclaude mcp add chatwoot {settings} -- {command}"


def _cursor(command: str) -> str:
    return f"In .cursor/mcp.json:\n{_json({'mcpServers': _entries(command)})}"


def _vscode(command: str) -> str:
    servers = {name: {"type": "stdio", **entry} for name, entry in _entries(command).items()}
    return f"In .vscode/mcp.json:\n{_json({'servers': servers})}"


def _inspector(command: str) -> str:
    return f"npx @modelcontextprotocol/inspector {command} --sandbox"


HOSTS: Final[dict[str, Callable[[str], str]]] = {
    "claude-desktop": _claude_desktop,
    "claude-code": _claude_code,
    "cursor": _cursor,
    "vscode": _vscode,
    "inspector": _inspector,
}
"""Each host, and what makes its text of our command."""


def snippet(host: str, command: str) -> str:
    """What to paste, and where. The sandbox entry works as it stands; the real one wants its three values."""
    return HOSTS[host](command)


def _entries(command: str) -> dict[str, Any]:
    return {
        "chatwoot-sandbox": {"command": command, "args": ["--sandbox"]},
        "chatwoot": {"command": command, "args": [], "env": _REAL},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)
