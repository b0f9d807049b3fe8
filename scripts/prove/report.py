"""The table for people, the same for programs, and what is left behind."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from scripts.prove.place import Place
from scripts.prove.run import Row

_HEAD: Final = ("case", "key", "cut", "told", "what was there", "verdict")


@dataclass(frozen=True, slots=True)
class Report:
    base_url: str
    place: Place
    rows: list[Row]
    left_out: list[str]
    contacts: list[int]
    conversations: list[int]

    @property
    def is_true(self) -> bool:
        return not any(row.wrong for row in self.rows)

    def as_json(self) -> str:
        place = self.place
        return json.dumps(
            {
                "true": self.is_true,
                "chatwoot": {"base": self.base_url, "version": place.version},
                "account": place.account_id,
                "inbox": place.inbox_id,
                "run": place.title,
                "cases": [_as_object(row) for row in self.rows],
                "left_out": self.left_out,
                "left_behind": {"contacts": self.contacts, "conversations": self.conversations},
            },
            indent=1,
        )

    def as_text(self) -> str:
        place = self.place
        about = f"Chatwoot {place.version} at {self.base_url}, account {place.account_id}, inbox {place.inbox_id}"
        return "\n".join([f"{about} ({place.inbox})", "", *self._table(), *self._summary(), "", *self._left_behind()])

    def _table(self) -> list[str]:
        cells = [_cells(row) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]

        def line(row: tuple[str, ...]) -> str:
            return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

        lines = [line(_HEAD)]
        for tool, group in groupby(zip(self.rows, cells, strict=True), key=lambda pair: pair[0].tool):
            lines += ["", tool, *(line(row) for _, row in group)]
        return [*lines, ""]

    def _summary(self) -> list[str]:
        wrong = Counter(row.tool for row in self.rows if row.wrong)
        said = [f"Left out: {each}, of which the account has none." for each in self.left_out]
        if not wrong:
            return [*said, f"All {len(self.rows)} cases are true: nothing doubled, nothing lost."]
        listed = ", ".join(f"{tool} {count}" for tool, count in wrong.items())
        return [*said, f"{wrong.total()} of {len(self.rows)} cases are not true: {listed}."]

    def _left_behind(self) -> list[str]:
        place, ids = self.place, " ".join(map(str, self.contacts))
        where = f"{self.base_url}/api/v1/accounts/{place.account_id}/contacts"
        return [
            f'Left behind: {len(self.contacts)} contacts named "{place.title} …" (ids {_ranges(self.contacts)})',
            f"and their {len(self.conversations)} conversations ({_ranges(self.conversations)}).",
            "To remove them, with an administrator's token (a contact's conversations go with it):",
            f'  for id in {ids}; do curl -sS -X DELETE -H "api-access-token: $CHATWOOT_API_TOKEN" {where}/$id; done',
        ]


def _as_object(row: Row) -> dict[str, object]:
    return {
        "tool": row.tool,
        "case": row.case,
        "cut": row.cut.value if row.cut else None,
        "key": row.key,
        "told": row.told,
        "there": row.there,
        "true": not row.wrong,
        "wrong": row.wrong,
    }


def _cells(row: Row) -> tuple[str, ...]:
    verdict = f"NOT TRUE: {'; '.join(row.wrong)}" if row.wrong else "true"
    cut = row.cut.value if row.cut else "none"
    return f"  {row.case}", "yes" if row.key else "no", cut, ", then ".join(row.told), _there(row), verdict


def _there(row: Row) -> str:
    """What there was of each part after each call, the usual one of each left out where there are many."""
    if not row.there or not row.there[0]:
        return "as shown" if row.told and not row.wrong else ""
    counts = {part: [each.get(part, 0) for each in row.there] for part in row.there[0]}
    told = {part: held for part, held in counts.items() if len(counts) < 3 or set(held) != {1}}
    listed = ", ".join(f"{part} {' then '.join(map(str, held))}" for part, held in told.items())
    return listed or f"1 of each of {len(counts)}"


def _ranges(ids: list[int]) -> str:
    """1-3, 7"""
    runs: list[list[int]] = []
    for each in ids:
        if runs and each == runs[-1][-1] + 1:
            runs[-1][1:] = [each]
        else:
            runs.append([each])
    return ", ".join("-".join(map(str, run)) for run in runs) or "none"
