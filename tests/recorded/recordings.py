"""What real Chatwoots answered, as it was recorded. ``make.py`` makes the files."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

HERE: Final = Path(__file__).parent
VERSIONS: Final = tuple(
    sorted(
        (path.name.removesuffix(".jsonl.xz") for path in HERE.glob("*.jsonl.xz")),
        key=lambda name: ([int(part) for part in name.partition("-")[0].split(".")], name),
    )
)
CUT_AT: Final = 2_000
"""Longer bodies were recorded as text, cut."""


@dataclass(frozen=True)
class Exchange:
    """One request, and what was answered. ``sent`` is the body: JSON, pairs of a form, or text that is no JSON.

    ``answer`` is JSON where ``has_answer``; else ``text`` is what came, or nothing did.
    """

    scenario: str
    actor: str | None
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    sent: Any
    status: int
    answer: Any
    text: str | None
    headers: Mapping[str, str]
    has_answer: bool

    def __repr__(self) -> str:
        return f"{self.scenario}: {self.method} {self.path} {self.query or ''} {self.sent or ''} -> {self.status}"

    @property
    def sent_is_cut(self) -> bool:
        return isinstance(self.sent, str) and len(self.sent) == CUT_AT and self.sent.startswith("{")

    @property
    def content(self) -> bytes:
        """The answer's body as it travelled."""
        if self.text is not None:
            return self.text.encode()
        return json.dumps(self.answer).encode() if self.has_answer else b""


@dataclass(frozen=True)
class Recording:
    """``ids``: what the symbolic keys of the world were there (``inbox:api``); a key that is missing it lacked."""

    version: str
    ids: Mapping[str, Any]
    exchanges: tuple[Exchange, ...]


@cache
def recording(version: str) -> Recording:
    lines = lzma.decompress((HERE / f"{version}.jsonl.xz").read_bytes()).decode().splitlines()
    records = [json.loads(line) for line in lines]
    exchanges = tuple(_exchange(record) for record in records[1:] if "status" in record)
    return Recording(version, records[0]["ids"], exchanges)


def _exchange(record: dict[str, Any]) -> Exchange:
    path, _, query = record["request"].partition("?")
    return Exchange(
        scenario=f"{record['scenario']}[{record['step']}]",
        actor=record.get("actor"),
        method=record["method"],
        path=path,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        sent=record.get("sent"),
        status=record["status"],
        answer=record.get("body"),
        text=record.get("text"),
        headers=record.get("headers", {}),
        has_answer="body" in record,
    )
