"""Makes the files beside this one from the whole of what was recorded.

    cd tests && uv run python -m recorded.make FOLDER

FOLDER holds ``VERSION.jsonl.gz``, as ``play.py`` there wrote them, the scenarios and the world. Kept of each step: who
asked for what, and what was answered; left out: times, saved variables, headers that say nothing. ``chance.json`` is
what a second recording of 4.15.1 does not agree on. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import lzma
import sys
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
VERSIONS: Final = (
    "3.16.0",
    "4.0.4",
    "4.7.0",
    "4.11.0",
    "4.15.1",
    "4.15.1-assignment-v1",
    "4.15.1-community",
    "4.15.1-fork",
)
_STEP: Final = ("scenario", "step", "turn", "actor", "method", "path", "request", "sent", "status", "body", "text")
_HEADERS: Final = ("location", "retry-after")


def slim(record: dict[str, Any]) -> dict[str, Any]:
    """Of the first line the ids of the world, of the others the exchange; of one that was skipped what it lacked."""
    if record["kind"] == "meta":
        return {"ids": record["ids"]}
    kept = {key: record[key] for key in (*_STEP, "skipped", "error") if key in record}
    headers = {name: value for name, value in record.get("headers", {}).items() if name in _HEADERS}
    return {**kept, "headers": headers} if headers else kept


def read(source: Path) -> list[str]:
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        return [json.dumps(slim(json.loads(line)), separators=(",", ":"), ensure_ascii=False) for line in lines]


def write(target: Path, lines: list[str]) -> int:
    target.write_bytes(lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    return target.stat().st_size


def make(folder: Path) -> None:
    for version in VERSIONS:
        size = write(HERE / f"{version}.jsonl.xz", read(folder / f"{version}.jsonl.gz"))
        print(f"{version}: {size:,} bytes")  # noqa: T201
    files = sorted((folder / "scenarios").glob("*.jsonl"))
    scenarios = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    write(HERE / "scenarios.xz", scenarios)
    (HERE / "world.json").write_bytes((folder / "world.json").read_bytes())
    from recorded.table import CHANCE, chance

    doubted = chance(read(folder / "4.15.1-again.jsonl.gz"))
    CHANCE.write_text(json.dumps(doubted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
