"""The Liquid variables of outgoing messages, those that people use."""

from __future__ import annotations

import re
from typing import Final

from chatwoot_sandbox.call import Actor
from chatwoot_sandbox.shapes.agents import available_name
from chatwoot_sandbox.store.store import Row, Store

_CODE_OR_VARIABLE: Final = re.compile(
    r"```.*?```|`[^`]*`|\{\{\s*(?P<variable>[A-Za-z_][\w.]*)\s*(?:\|[^{}]*)?\}\}", re.DOTALL
)


def _capital_words(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in name.split())


def _person(prefix: str, name: str | None) -> dict[str, str]:
    full = _capital_words(name or "")
    words = full.split()
    return {
        f"{prefix}.name": full,
        f"{prefix}.first_name": words[0] if words else "",
        f"{prefix}.last_name": words[-1] if len(words) > 1 else "",
    }


def _variables(store: Store, conversation: Row, actor: Actor | None) -> dict[str, str]:
    contact = store.by_id("contacts", conversation["contact_id"]) or {}
    inbox = store.by_id("inboxes", conversation["inbox_id"]) or {}
    account = store.by_id("accounts", conversation["account_id"]) or {}
    agent = available_name(actor.row) if actor and not actor.is_bot else ""
    return {
        **_person("contact", contact.get("name")),
        "contact.email": contact.get("email") or "",
        "contact.phone_number": contact.get("phone_number") or "",
        **_person("agent", agent),
        "inbox.name": inbox.get("name") or "",
        "account.name": account.get("name") or "",
        "conversation.display_id": str(conversation["display_id"]),
    }


def render(content: str, store: Store, conversation: Row, actor: Actor | None) -> str:
    """``content`` with its variables filled in. Unknown ones disappear; broken tags and code in backticks stay."""
    if "{{" not in content:
        return content
    values = _variables(store, conversation, actor)

    def fill(found: re.Match[str]) -> str:
        name = found["variable"]
        return found[0] if name is None else values.get(name, "")

    return _CODE_OR_VARIABLE.sub(fill, content)
