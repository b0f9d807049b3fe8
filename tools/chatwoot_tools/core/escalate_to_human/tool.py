"""The tool ``escalate_to_human``: one call for "a person must take over".

What can be found out first is; then each step is made, whatever became of the one before, and at the end the
conversation is read back. The same call again finds what is done by its marks and does the rest.
"""

from __future__ import annotations

from typing import Final

from chatwoot_tools.call.context import Context
from chatwoot_tools.call.ledger import ledger_key
from chatwoot_tools.core.escalate_to_human.changing import change
from chatwoot_tools.core.escalate_to_human.model import EscalateToHuman, EscalateToHumanResult
from chatwoot_tools.core.escalate_to_human.plan import Progress, plan_of
from chatwoot_tools.core.escalate_to_human.target import find_or_open
from chatwoot_tools.core.escalate_to_human.writing import write_messages
from chatwoot_tools.tool import Tool


async def escalate_to_human(args: EscalateToHuman, ctx: Context) -> EscalateToHumanResult:
    """Raises only while nothing is done; from the first conversation on, each failure is a step.

    A dry run goes the same way, and keeps each write instead of sending it.
    """
    plan = await plan_of(args, ctx)
    async with ctx.holding(ledger_key("escalation", plan.account_id, plan.seed)):
        progress = Progress(args.dry_run)
        found = await find_or_open(plan, progress, ctx)
        await write_messages(plan, found, progress, ctx)
        return await change(plan, found, progress, ctx)


ESCALATE_TO_HUMAN: Final = Tool(
    name="escalate_to_human",
    title="Hand over",
    description=(
        "Hands a customer to a human: finds or opens the conversation, adds the summary as a note, opens and assigns "
        "it. If complete is false, the same call again does the rest and repeats nothing."
    ),
    toolset="core",
    input=EscalateToHuman,
    output=EscalateToHumanResult,
    run=escalate_to_human,
    idempotent=True,
)
