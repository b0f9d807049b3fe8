"""Everything that is checked before the one write. If anything is wrong, nothing is sent."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from aiochatwoot.errors import BotEndpointClosed, ChatwootError, Forbidden, NotFound
from aiochatwoot.models import Agent, Inbox
from chatwoot_tools.arguments.names import CANDIDATES, candidates
from chatwoot_tools.arguments.templates import check_template
from chatwoot_tools.call.cache import unreadable
from chatwoot_tools.call.context import Context
from chatwoot_tools.call.directory import list_with
from chatwoot_tools.call.together import together
from chatwoot_tools.facts.channels import ChannelRules
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import clean
from chatwoot_tools.writing.contact_inboxes import refuse_taking
from chatwoot_tools.writing.opening.target import Target, forbidden_inbox
from chatwoot_tools.writing.opening.wanted import WantedConversation

_NAME_CHARS: Final = 60


async def check(wanted: WantedConversation, target: Target, ctx: Context) -> tuple[Target, list[str]]:
    """The target with its inbox, and warnings about what could not be checked.

    Look-ups run side by side and come from the directory, so a warm call makes none. Raises ToolFailure with what
    may be used instead.
    """
    checks = {
        "inbox_id": _inbox(wanted, target, ctx),
        "team_id": _team(wanted, target, ctx),
        "assignee_id": _assignee(wanted, target, ctx),
    }
    outcomes = await asyncio.gather(*checks.values(), return_exceptions=True)
    unchecked: list[str] = []
    for field, outcome in zip(checks, outcomes, strict=True):
        if isinstance(outcome, ChatwootError) and unreadable(outcome):
            unchecked.append(field)
        elif isinstance(outcome, BaseException):
            raise outcome
        elif isinstance(outcome, Target):
            target = outcome
    if not unchecked:
        return target, []
    return target, [f"Not checked before sending, as this token may not read the lists: {', '.join(unchecked)}."]


async def _inbox(wanted: WantedConversation, target: Target, ctx: Context) -> Target:
    """The inbox exists, the contact is or can be known there, and the template is one of its own."""
    try:
        inbox = await ctx.directory.inbox(target.account_id, target.inbox_id)
    except NotFound:
        text = f"Nothing was created: account {target.account_id} does not exist, or the token has no access to it."
        raise ToolFailure("not_found", text, field="account_id") from None
    if inbox is None:
        raise await unknown_inbox(target, ctx, "source_id" if wanted.inbox_id is None else "inbox_id")
    target = target.with_inbox(inbox)
    if target.rules:
        await _source_id(target, inbox, target.rules, ctx)
    if wanted.message and wanted.message.template_params:
        check_template(wanted.message.template_params, inbox, "message.template_params")
    return target


async def unknown_inbox(target: Target, ctx: Context, field: str = "inbox_id") -> ToolFailure:
    """``forbidden`` where Chatwoot says that there is one, ``not_found`` else. ``field`` is what led to the inbox."""
    instead = candidates("Inboxes", await ctx.directory.inboxes(target.account_id))
    try:
        await ctx.directory.assignable_agents(target.account_id, target.inbox_id)
    except Forbidden:
        return forbidden_inbox(target.inbox_id, field, instead)
    except ChatwootError:
        pass  # the list of inboxes is what we know
    text = (
        f"Nothing was created: account {target.account_id} has no inbox {target.inbox_id} that the token's owner sees. "
        f"{instead}"
    )
    return ToolFailure("not_found", text, field="inbox_id")


async def _source_id(target: Target, inbox: Inbox, rules: ChannelRules, ctx: Context) -> None:
    source_id = target.source_id
    if source_id is None:
        if rules.minted_from is None:
            raise await _source_id_required(target, rules, ctx)
        if rules.steals:
            await _to_be_made(target, inbox, ctx)
    elif rules.form and not rules.form.fullmatch(source_id):
        text = (
            f"Nothing was created: on {rules.name} the source_id is {rules.source}. Leave it out to have Chatwoot "
            "make it."
        )
        raise ToolFailure("source_id_invalid", text, field="source_id")
    elif rules.steals:
        owner = await ctx.directory.source_owner(target.account_id, target.inbox_id, source_id)
        if owner not in (None, target.contact_id):
            raise source_id_taken(owner)


async def _to_be_made(target: Target, inbox: Inbox, ctx: Context) -> None:
    """Chatwoot makes the source id from the contact's own details, and takes it from whoever has it."""
    try:
        contact = await ctx.client.contacts.show(target.account_id, target.contact_id)
    except NotFound:
        return  # the create itself will say so
    await refuse_taking(inbox, contact, target.account_id, ctx)


async def _source_id_required(target: Target, rules: ChannelRules, ctx: Context) -> ToolFailure:
    """Chatwoot answers 500 here; the contact's own identities in the inbox are the way out."""
    text = f"Nothing was created: Chatwoot cannot make a source_id on {rules.name}. Give source_id, {rules.source}"
    contact = await ctx.client.contacts.show(target.account_id, target.contact_id)
    known = [link.source_id for link in contact.contact_inboxes if link.inbox.id == target.inbox_id]
    if known:
        listed = ", ".join(clean(each, _NAME_CHARS) for each in known[:CANDIDATES])
        text += f"; of contact {target.contact_id} it is {listed}"
    else:
        text += f"; contact {target.contact_id} has none there yet, and has to write first"
    return ToolFailure("source_id_required", f"{text}.", field="source_id")


def source_id_taken(owner: int | None = None) -> ToolFailure:
    whose = f"contact {owner}" if owner else "another contact"
    text = (
        f"Nothing was created: in this inbox the source_id belongs to {whose}. Use that contact_id, or leave "
        "source_id out."
    )
    return ToolFailure("source_id_taken", text, field="source_id")


async def _team(wanted: WantedConversation, target: Target, ctx: Context) -> None:
    """The team exists. A bot's token may not set one: Chatwoot would create, and then answer 500."""
    if wanted.team_id is None:
        return
    try:
        teams = await list_with(wanted.team_id, partial(ctx.directory.teams, target.account_id))
    except BotEndpointClosed:
        text = (
            "Nothing was sent. With a bot's token Chatwoot fails on conversations that have a team: leave team_id out."
        )
        raise ToolFailure("bot_not_allowed", text, field="team_id") from None
    if any(team.id == wanted.team_id for team in teams):
        return
    text = (
        f"Nothing was created: account {target.account_id} has no team {wanted.team_id}. {candidates('Teams', teams)}"
    )
    raise ToolFailure("team_not_found", text, field="team_id")


async def _assignee(wanted: WantedConversation, target: Target, ctx: Context) -> None:
    """The agent works in the inbox or is an administrator, and is in the team if one is given."""
    if wanted.assignee_id is None:
        return
    try:
        agents = await list_with(wanted.assignee_id, partial(_assignable, wanted, target, ctx))
    except NotFound:
        return  # the inbox or the team is unknown, which their own checks say
    if any(agent.id == wanted.assignee_id for agent in agents):
        return
    where = f"inbox {target.inbox_id}" + (f" and team {wanted.team_id}" if wanted.team_id else "")
    instead = candidates("Assignable", agents)
    text = f"Nothing was created: agent {wanted.assignee_id} cannot be assigned in {where}. {instead}"
    raise ToolFailure("assignee_not_assignable", text, field="assignee_id")


async def _assignable(wanted: WantedConversation, target: Target, ctx: Context, *, refresh: bool) -> list[Agent]:
    in_inbox = ctx.directory.assignable_agents(target.account_id, target.inbox_id, refresh=refresh)
    if wanted.team_id is None:
        return list(await in_inbox)
    in_team = ctx.directory.team_members(target.account_id, wanted.team_id, refresh=refresh)
    agents, members = await together(in_inbox, in_team)
    return [agent for agent in agents if any(agent.id == member.id for member in members)]
