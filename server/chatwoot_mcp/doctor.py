"""What works, line by line, and what to do about what does not."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from aiochatwoot import Budget, Chatwoot
from aiochatwoot.errors import BotEndpointClosed, ChatwootError, TokenMissing
from aiochatwoot.models import Profile
from chatwoot_mcp.app import open_desk
from chatwoot_mcp.settings import Settings
from chatwoot_tools.facts.channels import channel_rules
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.text import NAME_CHARS, clean

DEADLINE_S: Final = 45.0
SKEW_S: Final = 120.0
TESTED_VERSION: Final = "4.15.1"
OLDEST_VERSION: Final = "3.16.0"
LACKS: Final[tuple[tuple[tuple[int, int], str], ...]] = (
    ((4, 15), "of a customer's conversations only the 20 newest are found"),
    ((4, 15), "a bot's token acts without being shown conversations, and sets no labels"),
    ((4, 11), "a bot's token works only if the bot is connected to an inbox"),
    ((4, 11), "no TikTok"),
    ((4, 7), "a bot's token sets no custom attributes"),
    ((4, 7), "no Instagram, and no templates of Twilio WhatsApp"),
)
"""What is missing before a release, as far as the tools meet it."""


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    status: Literal["ok", "warning", "failed"]
    text: str


async def run_doctor(settings: Settings, as_json: bool, say: Callable[[str], None]) -> int:
    """0 when nothing failed, else 1. Nothing is written to Chatwoot."""
    async with open_desk(settings) as desk:
        budget = Budget(DEADLINE_S)
        findings = [finding async for finding in examine(settings, desk.client.within(budget))]
    findings.insert(
        0, Finding("request-id", "ok", f"{budget.id} in Chatwoot's log; calls have theirs in this server's log")
    )
    good = all(finding.status != "failed" for finding in findings)
    if as_json:
        say(json.dumps({"ok": good, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            say(f"{finding.status:8} {finding.check:12} {finding.text}")
    return 0 if good else 1


async def examine(settings: Settings, client: Chatwoot) -> AsyncGenerator[Finding]:
    """The findings in order; after one without which the rest means nothing, no more."""
    try:
        answer = await client.accounts.about()
    except ChatwootError as failure:
        yield Finding("address", "failed", explain(failure).text)
        return
    secure = "over TLS" if settings.base_url.startswith("https") else "without TLS"
    yield Finding("address", "ok", f"{settings.base_url} answers, {secure}")
    for finding in _version(answer.data):
        yield finding
    yield _clock(answer.date)
    try:
        profile = await client.accounts.profile()
    except BotEndpointClosed:
        async for finding in _bot(settings):
            yield finding
        return
    except ChatwootError as failure:
        check = "header" if isinstance(failure, TokenMissing) else "token"
        yield Finding(check, "failed", explain(failure).text)
        return
    yield Finding("header", "ok", "the token arrives at Chatwoot")
    yield Finding("token", "ok", f"of a person, {clean(profile.name or 'nameless', NAME_CHARS)}")
    async for finding in _accounts(settings, profile, client):
        yield finding


def _version(data: Any) -> Iterator[Finding]:
    version = cast("dict[str, Any]", data).get("version") if isinstance(data, dict) else None
    if not isinstance(version, str):
        yield Finding("version", "failed", "this is not a Chatwoot: GET /api names no version")
        return
    known = f"behaviour known from {OLDEST_VERSION} to {TESTED_VERSION}"
    yield Finding("version", "ok", f"{clean(version, 40)} ({known})")
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    release = (int(numbers[1]), int(numbers[2])) if numbers else None
    lacking = [what for since, what in LACKS if release is not None and release < since]
    if lacking:
        yield Finding("version", "warning", f"this one is older than 4.15, and works but for: {'; '.join(lacking)}")


def _clock(date: datetime | None) -> Finding:
    if date is None:
        return Finding("clock", "warning", "Chatwoot sends no Date header")
    skew = abs((datetime.now(UTC) - date).total_seconds())
    if skew > SKEW_S:
        return Finding("clock", "warning", f"differs from Chatwoot's by {skew:.0f} seconds: set it")
    return Finding("clock", "ok", "agrees with Chatwoot's")


async def _bot(settings: Settings) -> AsyncGenerator[Finding]:
    yield Finding("header", "ok", "the token arrives at Chatwoot")
    yield Finding("token", "warning", "of an agent bot: what lists hold cannot be checked before writing")
    if settings.account_id is None:
        yield Finding("accounts", "warning", "set CHATWOOT_ACCOUNT_ID: a bot's token does not tell its accounts")


async def _accounts(settings: Settings, profile: Profile, client: Chatwoot) -> AsyncGenerator[Finding]:
    for account in profile.accounts:
        what = f"{account.id} {clean(account.name, NAME_CHARS)}, as {account.role}"
        yield Finding("account", "ok" if account.status in (None, "active") else "warning", f"{what}, {account.status}")
    ids = [account.id for account in profile.accounts]
    if settings.account_id is not None and settings.account_id not in ids:
        yield Finding("accounts", "failed", "CHATWOOT_ACCOUNT_ID is none of the token's accounts")
        return
    chosen = settings.account_id or (ids[0] if len(ids) == 1 else None)
    if chosen is None:
        yield Finding("accounts", "warning", "several: set CHATWOOT_ACCOUNT_ID, or give account_id in each call")
        return
    try:
        inboxes = await client.inboxes.list(chosen)
    except ChatwootError as failure:
        yield Finding("inboxes", "failed", explain(failure).text)
        return
    for inbox in inboxes:
        rules = channel_rules(inbox.channel_type, inbox.medium)
        kind = rules.name if rules else inbox.channel_type
        yield Finding("inbox", "ok", f"{inbox.id} {clean(inbox.name, NAME_CHARS)}, {kind}")
    if not inboxes:
        yield Finding("inboxes", "warning", "none: the token's owner is a member of no inbox")
