"""Every tool there is, in the order in which hosts see them."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_tools.create_conversation import CREATE_CONVERSATION
from chatwoot_tools.tool import Tool
from chatwoot_tools.update_conversation import UPDATE_CONVERSATION

TOOLS: Final[tuple[Tool[Any, Any], ...]] = (CREATE_CONVERSATION, UPDATE_CONVERSATION)
TOOLSETS: Final = frozenset(tool.toolset for tool in TOOLS)
