"""The tool ``create_conversation``: check everything, send once, and say what really happened."""

from chatwoot_tools.core.create_conversation.tool import CREATE_CONVERSATION

__all__ = ["CREATE_CONVERSATION"]
