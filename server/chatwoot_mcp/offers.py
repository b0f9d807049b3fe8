"""Which tools a caller is offered, and why another is not."""

from __future__ import annotations

from functools import cache
from typing import Any

from chatwoot_tools import Policy, Tool, ToolFailure
from chatwoot_tools.registry import TOOLS

AnyTool = Tool[Any, Any]


@cache
def offered_tools(toolsets: frozenset[str], *, read_only: bool) -> tuple[AnyTool, ...]:
    """The tools whose toolset or own name is among ``toolsets``; of those only what reads where that is all allowed."""
    chosen = (tool for tool in TOOLS if {tool.toolset, tool.name} & toolsets)
    return tuple(tool for tool in chosen if tool.read_only or not read_only)


def why_hidden(tool: AnyTool, policy: Policy, toolsets: frozenset[str]) -> ToolFailure:
    """Says whose limit it is: that of the caller's key, or the operator's, given by ``toolsets`` and by its policy."""
    if policy.read_only and not tool.read_only:
        if (policy.narrows or policy).read_only:
            return ToolFailure("read_only", "This server only reads: the operator has set CHATWOOT_MCP_READ_ONLY.")
        text = "This caller only reads: its key or subject is `read_only`, or its token lacks the scope chatwoot:write."
        return ToolFailure("read_only", text)
    if tool in offered_tools(toolsets, read_only=False):
        return ToolFailure("not_allowed", "This tool is not among the `toolsets` of the caller's key or subject.")
    return ToolFailure("not_allowed", "This tool is switched off: the operator can add it to CHATWOOT_MCP_TOOLSETS.")
