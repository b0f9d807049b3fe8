"""Makes the recordings beside this file from those of the whole, as ``play.py`` there wrote them.

    python tests/recorded/make.py FOLDER

FOLDER holds ``VERSION.jsonl.gz``. Kept of each step: who asked for what, and what was answered; left out: times, saved
variables, headers that say nothing. The same input gives the same bytes.
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


def make(source: Path, target: Path) -> int:
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        kept = [json.dumps(slim(json.loads(line)), separators=(",", ":"), ensure_ascii=False) for line in lines]
    target.write_bytes(lzma.compress("\n".join(kept).encode(), preset=9 | lzma.PRESET_EXTREME))
    return target.stat().st_size


if __name__ == "__main__":
    for version in VERSIONS:
        size = make(Path(sys.argv[1]) / f"{version}.jsonl.gz", HERE / f"{version}.jsonl.xz")
        print(f"{version}: {size:,} bytes")  # noqa: T201
