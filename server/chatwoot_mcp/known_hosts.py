"""The hosts that ``chatwoot-mcp config`` knows: apart from what it says of each, which whoever serves need not load."""

from __future__ import annotations

from typing import Final, Literal, get_args

Host = Literal["claude-desktop", "claude-code", "cursor", "vscode", "inspector"]
HOSTS: Final[tuple[Host, ...]] = get_args(Host)
