"""Inboxes, agents, teams and labels by id, name or e-mail: an exact match, or an error with what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from aiochatwoot.models import Agent, Inbox, Label, Team
from chatwoot_tools.call.context import Context
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.text import clean

CANDIDATES: Final = 10
_NAME_CHARS: Final = 60


class Record(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str | None: ...


R = TypeVar("R", bound=Record)


def agent_called(wanted: str, agents: Iterable[Agent], field: str = "assignee") -> Agent:
    return _only(wanted, list(agents), field, lambda agent: {agent.name, agent.available_name, agent.email})


def team_called(wanted: str, teams: Iterable[Team]) -> Team:
    return _only(wanted, list(teams), "team", lambda team: {team.name})


async def inbox_called(wanted: str, account_id: int, ctx: Context) -> Inbox:
    """Of those that may be used; whether there are others is not told."""
    if (inbox_id := id_in(wanted)) is not None:
        ctx.policy.check_inbox(inbox_id)
    try:
        return _only(wanted, list(await ctx.directory.inboxes(account_id)), "inbox", lambda inbox: {inbox.name})
    except ToolFailure as failure:
        if not ctx.policy.hides:
            raise
        raise replace(failure, text=f"{failure.text} {ctx.policy.allowing}") from None


def label_called(wanted: str, labels: Iterable[Label], field: str) -> str:
    """The label's title. Chatwoot itself would take any text, and nobody would find it again."""
    known = [label.title for label in labels]
    for title in known:
        if title.casefold() == wanted.strip().casefold():
            return title
    listed = ", ".join(clean(title, _NAME_CHARS) for title in known[:CANDIDATES]) or "none"
    raise ToolFailure(
        "not_found", f"Nothing was done: `{field}` names an unknown label. Existing labels: {listed}.", field
    )


def id_in(wanted: str) -> int | None:
    """The id, where one was given instead of a name."""
    return int(wanted) if wanted.strip().isdecimal() and len(wanted) <= 10 else None


def candidates(what: str, records: Iterable[Record]) -> str:
    """What may be used instead, by id and name, at most ten."""
    listed = [f"{record.id} ({clean(record.name or '', _NAME_CHARS)})" for record in records]
    if not listed:
        return f"{what}: none."
    more = f" and {len(listed) - CANDIDATES} more" if len(listed) > CANDIDATES else ""
    return f"{what}: {', '.join(listed[:CANDIDATES])}{more}."


def _only(wanted: str, records: list[R], field: str, names: Callable[[R], set[str | None]]) -> R:
    folded = wanted.strip().casefold()
    if (record_id := id_in(wanted)) is not None:
        found = [record for record in records if record.id == record_id]
    else:
        found = [record for record in records if folded in {name.casefold() for name in names(record) if name}]
    if len(found) == 1:
        return found[0]
    if found:
        text = f"Nothing was done: several match `{field}`. {candidates('Give the id of one', found)}"
        raise ToolFailure("ambiguous_name", text, field=field)
    text = f"Nothing was done: nothing matches `{field}`. {candidates('There are', records)}"
    raise ToolFailure("not_found", text, field=field)
