"""The tool ``get_workspace``: where one is, who works there, and what ids there are."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import Field

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.models import Agent, CannedResponse, CustomAttribute, Inbox, Team
from chatwoot_tools.arguments.accounts import resolve_account
from chatwoot_tools.arguments.inputs import ReadInput, listed
from chatwoot_tools.arguments.templates import Template, approved_templates
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.together import together
from chatwoot_tools.facts.channels import Channel, channel_rules
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.text import NAME_CHARS, clean
from chatwoot_tools.tool import Output, Result, Tool

MAX_EACH: Final = 200
"""Entries of one part; warnings say when there are more."""
_CONTENT_CHARS: Final = 300
_CLOSED: Final = (errors.BotEndpointClosed, errors.Forbidden)
"""What says that a part is not for this token."""

T = TypeVar("T")

Part = Literal["account", "inboxes", "agents", "teams", "labels", "custom_attributes", "canned_responses", "templates"]


class GetWorkspace(ReadInput):
    include: Annotated[list[Part], Field(description="Parts wanted; default inboxes, agents, teams."), listed()] = [  # noqa: RUF012 - pydantic copies it
        "inboxes",
        "agents",
        "teams",
    ]


class AccountView(Output):
    id: int
    name: str
    role: str | None = None
    status: str | None = None


class Me(Output):
    """Whose token it is."""

    kind: Literal["person", "bot"]
    id: int | None = None
    name: str | None = None
    email: str | None = None
    accounts: list[AccountView] | None = None


class InboxView(Output):
    """``source_id``: what identifies a contact there, and whether Chatwoot can make it."""

    id: int
    name: str
    channel: Channel | None = None
    source_id: str | None = None
    bot: str | None = None
    locked: bool | None = None
    templates: int | None = None


class AgentView(Output):
    id: int
    name: str | None = None
    email: str | None = None
    role: str | None = None
    availability: str | None = None


class TeamView(Output):
    id: int
    name: str
    description: str | None = None
    auto_assign: bool | None = None


class AttributeView(Output):
    key: str
    name: str | None = None
    of: str | None = None
    type: str | None = None
    values: list[str] | None = None


class CannedResponseView(Output):
    short_code: str
    content: str | None = None


class TemplateView(Output):
    inbox_id: int
    name: str
    language: str
    body: list[str] | None = None
    header_media: bool | None = None


class GetWorkspaceResult(Result):
    me: Me | None = None
    account: AccountView | None = None
    inboxes: list[InboxView] | None = None
    agents: list[AgentView] | None = None
    teams: list[TeamView] | None = None
    labels: list[str] | None = None
    custom_attributes: list[AttributeView] | None = None
    canned_responses: list[CannedResponseView] | None = None
    templates: list[TemplateView] | None = None
    warnings: list[str] | None = None


async def get_workspace(args: GetWorkspace, ctx: Context) -> GetWorkspaceResult:
    """Each part asked for, read side by side; one that cannot be read is a warning. If none can, the call fails."""
    me = await _tried(_me(ctx))
    account_id = await resolve_account(args.account_id, ctx)
    parts = list(dict.fromkeys(args.include))
    warnings: list[str] = []
    found = await together(*(_tried(_read(part, account_id, ctx, warnings)) for part in parts))
    read: dict[str, Any] = {"me": me, **dict(zip(parts, found, strict=True))}
    failures = {part: value for part, value in read.items() if isinstance(value, ChatwootError)}
    _fail_if_nothing_was_read(parts or ["me"], failures)
    warnings = [f"{part}: {_reason(failure)}" for part, failure in failures.items()] + warnings
    values = {part: _shortened(part, value, warnings) for part, value in read.items() if part not in failures}
    return GetWorkspaceResult(**values, warnings=warnings or None)


def _shortened(part: str, value: Any, warnings: list[str]) -> Any:
    if not isinstance(value, list):
        return value
    entries = cast("list[Any]", value)
    if len(entries) > MAX_EACH:
        warnings.append(f"{part}: only {MAX_EACH} are shown.")
    return entries[:MAX_EACH]


async def _tried(reading: Awaitable[T]) -> T | ChatwootError:
    try:
        return await reading
    except ChatwootError as failure:
        return failure


def _fail_if_nothing_was_read(parts: Sequence[str], failures: Mapping[str, ChatwootError]) -> None:
    """What all parts failed with, unless they are merely closed to the token: whose it is then tells enough."""
    if all(part in failures for part in parts):
        for failure in failures.values():
            if not isinstance(failure, _CLOSED):
                raise failure


def _reason(failure: ChatwootError) -> str:
    return "this token may not read it." if isinstance(failure, _CLOSED) else explain(failure).text


async def _me(ctx: Context) -> Me:
    try:
        profile = await ctx.directory.profile()
    except errors.BotEndpointClosed:
        return Me(kind="bot")
    allowed = ctx.policy.allowed_accounts
    return Me(
        kind="person",
        id=profile.id,
        name=_name(profile.name),
        email=_name(profile.email),
        accounts=[
            AccountView(id=each.id, name=_name(each.name) or "", role=each.role, status=each.status)
            for each in profile.accounts
            if allowed is None or each.id in allowed
        ],
    )


async def _read(part: Part, account_id: int, ctx: Context, warnings: list[str]) -> Any:
    """A part. Raises ChatwootError; what it lacks is added to the warnings."""
    directory = ctx.directory
    match part:
        case "account":
            return await _account(account_id, ctx)
        case "inboxes":
            return await _inboxes(account_id, ctx, warnings)
        case "agents":
            return [_agent(each) for each in await directory.agents(account_id)]
        case "teams":
            return [_team(each) for each in await directory.teams(account_id)]
        case "labels":
            return [clean(each.title, NAME_CHARS) for each in await directory.labels(account_id)]
        case "custom_attributes":
            return [_attribute(each) for each in await directory.custom_attributes(account_id)]
        case "canned_responses":
            return [_canned(each) for each in await directory.canned_responses(account_id)]
        case "templates":
            return await _templates(account_id, ctx)


async def _account(account_id: int, ctx: Context) -> AccountView:
    account = await ctx.directory.account(account_id)
    role = await ctx.directory.role(account_id)
    return AccountView(id=account.id, name=_name(account.name) or "", role=role, status=account.status)


async def _inboxes(account_id: int, ctx: Context, warnings: list[str]) -> list[InboxView]:
    inboxes = await ctx.directory.inboxes(account_id)
    bots = await together(*(_tried(ctx.directory.agent_bot(account_id, inbox.id)) for inbox in inboxes))
    unread: dict[str, list[int]] = {}
    for inbox, bot in zip(inboxes, bots, strict=True):
        if isinstance(bot, ChatwootError):
            unread.setdefault(_reason(bot), []).append(inbox.id)
    for reason, ids in unread.items():
        warnings.append(f"inboxes: whether {_listed(ids)} has a bot could not be read: {reason}")
    return [
        _inbox(inbox, None if isinstance(bot, ChatwootError) else bot) for inbox, bot in zip(inboxes, bots, strict=True)
    ]


def _listed(ids: list[int]) -> str:
    if len(ids) == 1:
        return f"inbox {ids[0]}"
    more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
    return f"any of the inboxes {', '.join(map(str, ids[:10]))}{more}"


def _inbox(inbox: Inbox, bot: str | None) -> InboxView:
    rules = channel_rules(inbox.channel_type, inbox.medium)
    made = "made by Chatwoot" if rules and rules.minted_from else "cannot be made"
    return InboxView(
        id=inbox.id,
        name=_name(inbox.name) or "",
        channel=rules.name if rules else None,
        source_id=f"{rules.source}; {made}" if rules else None,
        bot=_name(bot),
        locked=inbox.lock_to_single_conversation or None,
        templates=len(approved_templates(inbox)) or None,
    )


async def _templates(account_id: int, ctx: Context) -> list[TemplateView]:
    inboxes = await ctx.directory.inboxes(account_id)
    return [_template(inbox.id, template) for inbox in inboxes for template in approved_templates(inbox)]


def _template(inbox_id: int, template: Template) -> TemplateView:
    return TemplateView(
        inbox_id=inbox_id,
        name=_name(template.name) or "",
        language=clean(template.language, NAME_CHARS),
        body=sorted(template.body) or None,
        header_media=template.header_media or None,
    )


def _agent(agent: Agent) -> AgentView:
    return AgentView(
        id=agent.id,
        name=_name(agent.name),
        email=_name(agent.email),
        role=agent.role,
        availability=agent.availability_status,
    )


def _team(team: Team) -> TeamView:
    return TeamView(
        id=team.id, name=_name(team.name) or "", description=_name(team.description), auto_assign=team.allow_auto_assign
    )


def _attribute(attribute: CustomAttribute) -> AttributeView:
    return AttributeView(
        key=clean(attribute.attribute_key, NAME_CHARS),
        name=_name(attribute.attribute_display_name),
        of=(attribute.attribute_model or "").removesuffix("_attribute") or None,
        type=attribute.attribute_display_type,
        values=[clean(str(value), NAME_CHARS) for value in attribute.attribute_values or ()][:50] or None,
    )


def _canned(response: CannedResponse) -> CannedResponseView:
    content = clean(response.content, _CONTENT_CHARS) if response.content else None
    return CannedResponseView(short_code=clean(response.short_code, NAME_CHARS), content=content)


def _name(text: str | None) -> str | None:
    return clean(text, NAME_CHARS) if text else None


GET_WORKSPACE: Final = Tool(
    name="get_workspace",
    title="Look around",
    description="Says whose token it is, and the ids and names of inboxes, agents, teams and labels. Call it first.",
    toolset="core",
    input=GetWorkspace,
    output=GetWorkspaceResult,
    run=get_workspace,
    read_only=True,
    idempotent=True,
)
