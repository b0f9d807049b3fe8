"""The tool ``reply_to_conversation``: the customer sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from aiochatwoot.models import Conversation
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.inputs import Id, Key, Names, Text, WriteInput
from chatwoot_tools.arguments.messages import MAX_CONTENT, TemplateParams
from chatwoot_tools.arguments.templates import approved_templates, check_template
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import clean
from chatwoot_tools.tool import Tool
from chatwoot_tools.writing import changes, messages
from chatwoot_tools.writing.attachments import read_attachments
from chatwoot_tools.writing.message_result import NOT_LOOKED_AT, MessageResult, dry_run, written


class ReplyToConversation(WriteInput):
    conversation_id: Annotated[Id, Field(description="Conversation's number.")]
    content: Annotated[Text | None, Field(max_length=MAX_CONTENT, description="Text; Chatwoot renders {{Liquid}}.")] = (
        None
    )
    template_params: Annotated[
        TemplateParams | None,
        Field(description="As in create_conversation."),
        WithJsonSchema({"type": "object", "description": "As in create_conversation."}),
    ] = None
    attachments: Annotated[Names | None, Field(description="Names of files in the server's folder.")] = None
    idempotency_key: Annotated[Key | None, Field(description="A repeated call with it sends once.")] = None

    @classmethod
    def faults_across(cls, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if not given.keys() & {"content", "template_params", "attachments"}:
            yield "content", "is required, unless there are template_params or attachments"
        if "template_params" in given and "attachments" in given:
            yield "attachments", "cannot go with template_params"


async def reply_to_conversation(args: ReplyToConversation, ctx: Context) -> MessageResult:
    account_id = await resolve_account(args.account_id, ctx)
    conversation = await changes.look(account_id, args.conversation_id, ctx)
    if conversation is not None:
        await _check_channel(args, conversation, ctx)
    body: dict[str, Any] = {"content": args.content, "private": False}
    if args.template_params is not None:
        body["template_params"] = args.template_params.model_dump(exclude_none=True)
    body = {key: value for key, value in body.items() if value is not None}
    files = await read_attachments(args.attachments or [], ctx.policy)
    last = conversation.last_non_activity_message if conversation else None
    newest = last.id if last else None
    key = messages.key_of(account_id, args.conversation_id, args.idempotency_key)
    draft = messages.Draft.of(account_id, args.conversation_id, body, key, ctx, files, newest)
    warnings = _warnings(args, conversation)
    if args.dry_run:
        return await dry_run(draft, args.content, warnings, ctx)
    return written(await messages.send(draft, ctx), args.conversation_id, args.content, warnings)


async def _check_channel(args: ReplyToConversation, conversation: Conversation, ctx: Context) -> None:
    """Outside the reply window Chatwoot takes a text and the channel drops it; a template must be one of the inbox."""
    closed = conversation.can_reply is False and args.template_params is None
    if not closed and args.template_params is None:
        return
    if await ctx.directory.role(conversation.account_id) == "bot":
        if closed:
            raise _window_closed([])
        return
    inbox = await ctx.directory.inbox(conversation.account_id, conversation.inbox_id)
    if inbox is None:
        return
    if closed:
        raise _window_closed(sorted({template.name for template in approved_templates(inbox)}))
    if args.template_params is not None:
        check_template(args.template_params, inbox, "template_params")


def _window_closed(templates: list[str]) -> ToolFailure:
    text = "Nothing was sent: the customer wrote too long ago, and the channel delivers no free text then."
    if not templates:
        return ToolFailure("rejected", f"{text} Wait until the customer writes, or use another channel.", "content")
    listed = ", ".join(clean(name, 60) for name in templates[:10])
    return ToolFailure("template_invalid", f"{text} Use template_params. Templates: {listed}.", "template_params")


def _warnings(args: ReplyToConversation, conversation: Conversation | None) -> list[str]:
    warnings: list[str] = []
    if args.content is not None and ("{{" in args.content or "{%" in args.content):
        warnings.append("The text holds {{ or {%: Chatwoot renders it as Liquid before the customer sees it.")
    if conversation is None:
        warnings.append(NOT_LOOKED_AT)
    elif conversation.status == "resolved":
        warnings.append("The conversation is resolved, and a reply does not reopen it: update_conversation does.")
    return warnings


REPLY_TO_CONVERSATION: Final = Tool(
    name="reply_to_conversation",
    title="Reply",
    description="Sends the customer a message, which cannot be taken back. For the team use add_private_note.",
    toolset="core",
    input=ReplyToConversation,
    output=MessageResult,
    run=reply_to_conversation,
)
