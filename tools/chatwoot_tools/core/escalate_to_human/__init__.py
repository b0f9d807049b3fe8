"""The tool ``escalate_to_human``: one call for "a person must take over"."""

from chatwoot_tools.core.escalate_to_human.tool import ESCALATE_TO_HUMAN

__all__ = ["ESCALATE_TO_HUMAN"]
