"""What an AI assistant can do with Chatwoot: tools as plain values, free of any protocol."""

from chatwoot_tools.call.context import Context, Desk, Policy
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.tool import Tool

__all__ = ["Context", "Desk", "Policy", "Tool", "ToolFailure"]
