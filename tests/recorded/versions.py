"""What ``docs/versions.md`` says, made from the recordings.

    cd tests && uv run python -m recorded.versions

writes its tables anew; the tests hold them equal.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from recorded.agreement import Keys, look
from recorded.recordings import VERSIONS, Exchange, Recording, recording
from recorded.refusals import code_of
from recorded.replay import played

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "versions.md"
Cell = Callable[[Recording], str]
_CHANNELS: Final = {"inbox:instagram": "Instagram", "inbox:tiktok": "TikTok"}


def _step(recorded: Recording, scenario: str) -> Exchange:
    return next(each for each in recorded.exchanges if each.scenario == scenario)


def _by_status(scenario: str, words: Mapping[int, str]) -> Cell:
    return lambda recorded: words[_step(recorded, scenario).status]


def _channels(recorded: Recording) -> str:
    assert recording("4.15.1").ids.keys() - recorded.ids.keys() <= _CHANNELS.keys()
    return ", ".join(name for key, name in _CHANNELS.items() if key not in recorded.ids) or "none"


def _more(recorded: Recording) -> str:
    meta = _step(recorded, "contacts_read.search[0]").answer["meta"]
    return "`has_more`" if "has_more" in meta else "the total"


def _assigned(recorded: Recording) -> str:
    meta: dict[str, Any] = _step(recorded, "conversations_create.inbox.auto_api[1]").answer["meta"]
    return "in the answer" if meta.get("assignee") else "after it"


def _additional(recorded: Recording) -> str:
    held = _step(recorded, "contacts_write.update[3]").answer["payload"]["additional_attributes"]
    return "merged" if held.get("city") == "X" else "replaced"


ROWS: Final[tuple[tuple[str, Cell], ...]] = (
    ("channels that it lacks", _channels),
    (
        "`conversations/filter` knows `contact_id`",
        _by_status("conversations_filter.contact_id[0]", {200: "yes", 422: "no"}),
    ),
    ("a search of contacts tells, of what follows its page,", _more),
    ("an agent bot may look at a conversation", _by_status("auth.bot_on_any_inbox[2]", {200: "yes", 401: "no"})),
    (
        "an agent bot may set custom attributes of a conversation",
        _by_status("conversations_change.custom_attributes[7]", {200: "yes", 401: "no"}),
    ),
    (
        "an agent bot of the account that no inbox has may create one",
        _by_status("conversations_create.by_role[5]", {200: "yes", 401: "no"}),
    ),
    (
        "an agent may look at a conversation of their team in any inbox",
        _by_status("conversations_change.access_by_team[5]", {200: "yes", 401: "no"}),
    ),
    (
        "a create for a contact without the e-mail or phone number that it needs",
        _by_status("conversations_create.contact_without_details[1]", {422: "422", 500: "500"}),
    ),
    (
        "a create with an assignee that there is not",
        _by_status("conversations_create.assignee[7]", {200: "created, nobody", 500: "500"}),
    ),
    (
        "a create with the source id of another contact, in an e-mail inbox",
        _by_status("conversations_create.source_id.stolen[6]", {200: "created", 422: "422"}),
    ),
    (
        "WhatsApp's ids of people without a number (`US.…`) as source id",
        _by_status("conversations_create.source_id.whatsapp[3]", {200: "yes", 422: "no"}),
    ),
    ("an inbox that assigns by itself does so", _assigned),
    ("`additional_attributes` in a change of a contact are", _additional),
)


def differences() -> str:
    """The table of what differs."""
    recordings = [recording(version) for version in VERSIONS]
    rows = [[f"| {what}", *(cell(recorded) for recorded in recordings)] for what, cell in ROWS]
    assert all(len(set(row[1:])) > 1 for row in rows), "a row in which nothing differs"
    return "\n".join([_head("as the tools meet it"), *(" | ".join(row) + " |" for row in rows)])


async def missing_keys(version: str) -> set[str]:
    """The fields of the client's models that no answer of this version has, and some of another have."""
    return await _never(version) - await _never("4.15.1")


async def _never(version: str) -> set[str]:
    keys = Keys()
    for one in await played(version):
        if one.failure is None:
            look(one, keys)
    return {key for key, times in keys.met.items() if keys.missing.get(key) == times}


def documented_missing_keys(version: str) -> set[str]:
    """The same as the document says it."""
    column = 2 + VERSIONS.index(version)
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [line.split("|") for line in lines if re.match(r"\| `\w+\.\w+`", line)]
    return {row[1].strip(" `") for row in cells if row[column].strip() == "missing"}


async def figures(version: str) -> str:
    """The row of how much was recorded, and what became of it."""
    all_played = await played(version)
    exchanges = {id(one.exchange): one.exchange for one in all_played}
    failed = {id(one.exchange) for one in all_played if one.failure}
    understood = sum(1 for key, each in exchanges.items() if each.status < 300 and key not in failed)
    codes = Counter(
        code_of(one.exchange, creating=one.way.name == "conversations.create")
        for one in all_played
        if one.exchange.status >= 300
    )
    told = ", ".join(f"`{code}` {times}" for code, times in sorted(codes.items()))
    answered = sum(1 for each in exchanges.values() if each.status < 300)
    recorded = len(recording(version).exchanges)
    return f"| {version} | {recorded:,} | {len(exchanges):,} | {understood:,} of {answered:,} | {told} |"


def _head(first: str) -> str:
    return f"| {first} | {' | '.join(VERSIONS)} |\n|{'---|' * (len(VERSIONS) + 1)}"


async def _keys_table() -> str:
    missing = {version: await missing_keys(version) for version in VERSIONS}
    rows = [
        " | ".join([f"| `{key}`", *("missing" if key in missing[version] else "" for version in VERSIONS)]) + " |"
        for key in sorted(set[str]().union(*missing.values()))
    ]
    return "\n".join([_head("key of an answer"), *rows])


async def _figures_table() -> str:
    head = "| version | requests recorded | that the client can make | answered, and understood | refusals by code |"
    return "\n".join([head, "|---|---|---|---|---|", *[await figures(version) for version in VERSIONS]])


def _put(text: str, first: str, table: str) -> str:
    """The text with another table in place of the one whose head begins so."""
    before, _, after = text.partition(f"| {first} |")
    return "\n\n".join([before.rstrip("\n"), table, after.partition("\n\n")[2]])


async def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    text = _put(text, "as the tools meet it", differences())
    text = _put(text, "key of an answer", await _keys_table())
    text = _put(text, "version | requests recorded", await _figures_table())
    DOCUMENT.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
