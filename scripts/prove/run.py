"""Running the cases: each call, cut where it is to be, then what it says to do, then the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiochatwoot import Chatwoot, Transport
from chatwoot_mcp.errors import as_failure
from chatwoot_tools import Desk, Policy
from chatwoot_tools.registry import TOOLS
from scripts.prove.case import Attempt, Case, There, Try
from scripts.prove.direct import Unusable
from scripts.prove.judge import Told, claims, lies
from scripts.prove.place import Place
from scripts.prove.proxy import Cut, Cutter, Planned

_TOOLS: Final = {tool.name: tool for tool in TOOLS}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``told`` and ``there`` hold an entry per call: the same is made again where the first
    one's result says so, or its key allows it. ``wrong`` is empty where all of it was true."""

    tool: str
    case: str
    cut: Cut | None
    key: bool
    told: list[str] = field(default_factory=list[str])
    there: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    wrong: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Prover:
    """``transport`` leads through ``cutter``, ``place.direct`` around it."""

    place: Place
    cutter: Cutter
    transport: Transport

    async def run(self, cases: list[Case], at_once: int, done: Callable[[], None]) -> list[Row]:
        """The rows in the order of the cases. ``done`` is called after each case, with or without a key."""
        slots = asyncio.Semaphore(at_once)

        async def group(case: Case, key: bool) -> list[Row]:
            async with slots:
                rows = await self._group(case, key)
            done()
            return rows

        keyed = [(case, key) for case in cases for key in ([False, True] if case.takes_key else [False])]
        return [row for rows in await asyncio.gather(*(group(*each) for each in keyed)) for row in rows]

    async def _group(self, case: Case, key: bool) -> list[Row]:
        """A case without a cut, then with each."""
        rows = [Row(case.tool, case.name, cut, key) for cut in (None, *Cut)]
        try:
            attempt = await case.begin(self.place)
        except Unusable as error:
            for row in rows:
                row.wrong.append(f"could not be tried: {error}")
            return rows
        for row in rows:
            try:
                await self._try(case, row, attempt)
            except Unusable as error:
                row.wrong.append(f"could not be looked at: {error}")
        return rows

    async def _try(self, case: Case, row: Row, attempt: Attempt) -> None:
        made = await attempt()
        arguments = {**made.arguments, **({"idempotency_key": self.place.name()} if row.key else {})}
        plan = Planned(case.wanted, row.cut) if row.cut else None
        told, there = await self._call(case, row, made, arguments, plan)
        row.wrong.extend(_unproved(plan, told))
        if not _is_to_be_repeated(case, row, told, there):
            return
        _, there = await self._call(case, row, made, arguments, None)
        row.wrong.extend(
            f"{part} lost: not there after the same call again" for part, held in there.parts.items() if not held
        )

    async def _call(
        self, case: Case, row: Row, made: Try, arguments: dict[str, Any], plan: Planned | None
    ) -> tuple[Told, There]:
        """Make a call, look at what is there, and write both down."""
        told = await self._told(case.tool, arguments, plan)
        there = await made.look(told.result)
        row.told.append(told.outcome)
        row.there.append({part: len(held) for part, held in there.parts.items()})
        wrong = [each for each in lies(case.tool, told, there) if each not in row.wrong]
        row.wrong.extend([*wrong, f"it said: {told.text}"] if wrong and told.text else wrong)
        return told, there

    async def _told(self, tool: str, arguments: dict[str, Any], plan: Planned | None) -> Told:
        """What a call says, made as by a process of its own: it knows nothing of earlier ones."""
        desk = Desk(Chatwoot(self.transport), Policy(default_account=self.place.account_id))
        context = desk.open_call()
        if plan is not None:
            self.cutter.planned[context.budget.id] = plan
        try:
            result = await desk.run_write(_TOOLS[tool].call(arguments, context), context.budget)
        except Exception as error:  # noqa: BLE001 - whatever it was is what a model would read
            failure = as_failure(error)
            return Told({}, failure.code, failure.text, failure.retryable)
        return Told(result.model_dump(mode="json", exclude_none=True))


def _unproved(plan: Planned | None, told: Told) -> list[str]:
    """Why a row would prove nothing, be its words true or not."""
    if plan is None:
        return [] if told.code is None else [f"refused without a cut: {told.text}"]
    if not plan.met:
        return [f"the request to cut was never made: {told.text or told.outcome}"]
    if plan.status is not None and plan.status >= 300:
        return [f"Chatwoot itself answered the request to cut with {plan.status}"]
    return []


def _is_to_be_repeated(case: Case, row: Row, told: Told, there: There) -> bool:
    """A key, and an escalation's own arguments, promise that the same call again doubles nothing; else a result that
    says what is missing, or that the call may be made again."""
    if not there.parts:
        return False
    if row.key or case.tool == "escalate_to_human" or told.retryable:
        return True
    return told.code is None and any(claim.of == "absent" for claim in claims(case.tool, told, there).values())
