"""Every tool there is, in the order in which hosts see them."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_tools.core.add_private_note import ADD_PRIVATE_NOTE
from chatwoot_tools.core.create_conversation import CREATE_CONVERSATION
from chatwoot_tools.core.escalate_to_human import ESCALATE_TO_HUMAN
from chatwoot_tools.core.find_contacts import FIND_CONTACTS
from chatwoot_tools.core.find_conversations import FIND_CONVERSATIONS
from chatwoot_tools.core.get_conversation import GET_CONVERSATION
from chatwoot_tools.core.get_workspace import GET_WORKSPACE
from chatwoot_tools.core.reply_to_conversation import REPLY_TO_CONVERSATION
from chatwoot_tools.core.save_contact import SAVE_CONTACT
from chatwoot_tools.core.update_conversation import UPDATE_CONVERSATION
from chatwoot_tools.tool import Tool

TOOLS: Final[tuple[Tool[Any, Any], ...]] = (
    CREATE_CONVERSATION,
    ESCALATE_TO_HUMAN,
    REPLY_TO_CONVERSATION,
    ADD_PRIVATE_NOTE,
    GET_CONVERSATION,
    FIND_CONVERSATIONS,
    UPDATE_CONVERSATION,
    FIND_CONTACTS,
    SAVE_CONTACT,
    GET_WORKSPACE,
)
TOOLSETS: Final = frozenset(tool.toolset for tool in TOOLS)
