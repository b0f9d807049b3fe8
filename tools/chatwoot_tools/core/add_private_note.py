"""The tool ``add_private_note``: only the team sees it."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.models import Agent
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.inputs import Id, Key, Names, Text, WriteInput
from chatwoot_tools.arguments.messages import MAX_CONTENT
from chatwoot_tools.arguments.names import agent_called
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.tool import Tool
from chatwoot_tools.writing import changes, messages
from chatwoot_tools.writing.message_result import NOT_LOOKED_AT, MessageResult, dry_run, written


class AddPrivateNote(WriteInput):
    conversation_id: Annotated[Id, Field(description="Conversation's number.")]
    content: Annotated[Text, Field(max_length=MAX_CONTENT, description="Note's text.")]
    mentions: Annotated[Names | None, Field(description="Agents to notify: name, e-mail or id.")] = None
    idempotency_key: Annotated[Key | None, Field(description="A repeated call with it writes once.")] = None


async def add_private_note(args: AddPrivateNote, ctx: Context) -> MessageResult:
    account_id = await resolve_account(args.account_id, ctx)
    if ctx.policy.hides:
        await changes.look(account_id, args.conversation_id, ctx)
    content = args.content + await _mentioned(args.mentions or [], account_id, ctx)
    body = {"content": content, "private": True}
    key = messages.key_of(account_id, args.conversation_id, args.idempotency_key)
    draft = messages.Draft.of(account_id, args.conversation_id, body, key, ctx)
    if args.dry_run:
        seen = await changes.look(account_id, args.conversation_id, ctx)
        return await dry_run(draft, content, [] if seen else [NOT_LOOKED_AT], ctx)
    try:
        sent = await messages.send(draft, ctx)
    except errors.NotFound:
        raise changes.no_conversation(account_id, args.conversation_id, ctx) from None
    return written(sent, args.conversation_id, content, [])


async def _mentioned(names: list[str], account_id: int, ctx: Context) -> str:
    """The links by which Chatwoot knows whom to notify."""
    if not names:
        return ""
    try:
        agents = await ctx.directory.agents(account_id)
    except errors.BotEndpointClosed:
        text = "Nothing was written. A bot's token cannot look up agents: leave mentions out."
        raise ToolFailure("bot_not_allowed", text, field="mentions") from None
    return "\n\n" + " ".join(_link(agent_called(name, agents, "mentions")) for name in names)


def _link(agent: Agent) -> str:
    name = (agent.available_name or agent.name or str(agent.id)).replace("[", "").replace("]", "")
    return f"[@{name}](mention://user/{agent.id}/{quote(name)})"


ADD_PRIVATE_NOTE: Final = Tool(
    name="add_private_note",
    title="Private note",
    description="Writes a note into a conversation; only the team sees it.",
    toolset="core",
    input=AddPrivateNote,
    output=MessageResult,
    run=add_private_note,
)
