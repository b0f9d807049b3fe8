"""The sandbox beside the recording of a real Chatwoot, step by step.

    cd tests && uv run python -m recorded.table            # the table: areas by equal, listed, not served
    cd tests && uv run python -m recorded.table --groups   # each difference once, most frequent first
    cd tests && uv run python -m recorded.table --write    # writes the list of known differences anew

Known differences stand in ``differences.json``, in groups with a reason; ``--write`` keeps reasons, leaves out what no
longer differs, and gives new groups the reason "not yet".
"""

from __future__ import annotations

import asyncio
import json
import lzma
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chatwoot_sandbox import Sandbox, read_world
from chatwoot_sandbox.store import json_columns
from recorded.comparison import Side, differences
from recorded.player import Answer, Missing, Step, Values, describe, play, scenarios

HERE: Final = Path(__file__).parent
KNOWN: Final = HERE / "differences.json"
CHANCE: Final = HERE / "chance.json"
WORLD: Final = HERE / "world.json"
VERSION: Final = "4.15.1"
_NO_ROUTE: Final = ({"status": 404, "error": "Not Found"}, "Not Found")
Recorded = dict[tuple[str, int, int], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """A step, and how the sandbox's answer differs from the real one's."""

    step: Step
    differs: tuple[str, ...]
    served: bool = True

    @property
    def verdict(self) -> str:
        return "not served" if not self.served else "listed" if self.differs else "equal"


@dataclass(frozen=True)
class Group:
    """A known difference: why, what it is, and the steps where it shows."""

    reason: str
    difference: str
    steps: tuple[str, ...]


def read_recording(lines: Iterable[str]) -> tuple[Mapping[str, Any], Recorded]:
    """What the keys of the world were there, and the records by step."""
    first, *records = (json.loads(line) for line in lines)
    return first["ids"], {(each["scenario"], each["step"], each.get("turn", 0)): each for each in records}


def recording(version: str = VERSION) -> tuple[Mapping[str, Any], Recorded]:
    return read_recording(lzma.decompress((HERE / f"{version}.jsonl.xz").read_bytes()).decode().splitlines())


def answer_of(record: dict[str, Any]) -> Answer | None:
    """None for a step that was not played."""
    if "status" not in record:
        return None
    headers: dict[str, str] = record.get("headers", {})
    if "body" in record:
        return Answer(record["status"], "json", record["body"], headers)
    return describe(record["status"], record.get("text", ""), headers)


def follow(ids: Mapping[str, Any], recorded: Recorded) -> Iterator[tuple[Step, Answer | None, Values]]:
    """Every step as it was recorded, and what was saved by then."""
    for steps in scenarios():
        values = Values(ids)
        for step in steps:
            answer = answer_of(recorded.get((step.scenario, step.number, step.turn), {}))
            if answer is not None:
                values.save(step, answer)
            yield step, answer, values


async def outcomes(version: str = VERSION) -> list[Outcome]:
    """Every step that the real one answered, and that chance has no part in."""
    ids, recorded = recording(version)
    sandbox = Sandbox(world=read_world(WORLD))
    rows = sandbox.store.rows("SELECT key, value FROM world_ids")
    own = {row["key"]: json_columns.load(row["value"]) for row in rows}
    sides = Side(ids), Side(own)
    chance: dict[str, list[str]] = json.loads(CHANCE.read_text(encoding="utf-8"))
    real, found = follow(ids, recorded), list[Outcome]()
    async for step, answer, values in play(sandbox, own):
        _, theirs, their_values = next(real)
        if theirs is None:
            continue
        doubted = chance.get(str(step), [])
        if any(each.partition(" ")[0] in {"status", "json", "empty", "html", "text"} for each in doubted):
            continue
        if isinstance(answer, Missing):
            found.append(Outcome(step, (f"needs {answer}",), served=False))
        elif _is_absent(answer) and not _is_absent(theirs):
            found.append(Outcome(step, (step.route,), served=False))
        else:
            told = differences((sides[0], theirs, their_values), (sides[1], answer, values))
            found.append(Outcome(step, tuple(each for each in told if not _by_chance(each, doubted))))
    sandbox.close()
    return found


def _is_absent(answer: Answer) -> bool:
    """Whether there is no such route."""
    return answer.status == 501 or (answer.status == 404 and answer.body in _NO_ROUTE)


def _by_chance(difference: str, doubted: list[str]) -> bool:
    """Whether two real ones do not agree there either."""
    place = _place(difference)
    return any(place == _place(each) or place.startswith(f"{_place(each)}/") for each in doubted)


def _place(difference: str) -> str:
    return difference.split(" ")[1].rstrip(":") if " " in difference else difference


def known() -> list[Group]:
    groups = json.loads(KNOWN.read_text(encoding="utf-8"))
    return [
        Group(reason, difference, tuple(steps.split()))
        for reason, differing in groups.items()
        for difference, steps in differing.items()
    ]


def unlisted(found: list[Outcome], groups: list[Group]) -> list[str]:
    """Differences that no group lists."""
    listed = {(group.difference, step) for group in groups for step in group.steps}
    return [f"{one.step}: {each}" for one in found for each in one.differs if (each, str(one.step)) not in listed]


def mended(found: list[Outcome], groups: list[Group]) -> list[str]:
    """Entries that no longer differ."""
    differing = {(each, str(one.step)) for one in found for each in one.differs}
    return [
        f"{step}: {group.difference}"
        for group in groups
        for step in group.steps
        if (group.difference, step) not in differing
    ]


def grouped(found: list[Outcome]) -> dict[str, list[str]]:
    """The differences, and the steps of each."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in found:
        for each in one.differs:
            groups[each].append(str(one.step))
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def write(found: list[Outcome]) -> None:
    reasons = {(group.difference): group.reason for group in known()} if KNOWN.exists() else {}
    unserved = {each for one in found if not one.served for each in one.differs}
    document: dict[str, dict[str, str]] = defaultdict(dict)
    for difference, steps in grouped(found).items():
        new = "not served yet" if difference in unserved else "not yet"
        document[reasons.get(difference, new)][difference] = " ".join(steps)
    KNOWN.write_text(json.dumps(dict(sorted(document.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(found: list[Outcome]) -> str:
    """Areas by equal, listed, not served; the steps of sensible clients and the odd ones apart."""
    areas: dict[str, Counter[str]] = {}
    for one in found:
        for name in (one.step.area, "all", "all, odd steps alone" if one.step.is_faulty else "all, without odd steps"):
            areas.setdefault(name, Counter())[one.verdict] += 1
    order = sorted(areas, key=lambda name: name.startswith("all"))
    lines = [f"{'area':32}{'equal':>8}{'listed':>8}{'not served':>12}"]
    for name in order:
        counts = areas[name]
        lines.append(f"{name:32}{counts['equal']:8}{counts['listed']:8}{counts['not served']:12}")
    return "\n".join(lines)


def chance(again: Iterable[str]) -> dict[str, list[str]]:
    """What two recordings of the same Chatwoot do not agree on, by step."""
    (ids, recorded), (other_ids, others) = recording(), read_recording(again)
    sides, found = (Side(ids), Side(other_ids)), dict[str, list[str]]()
    for (step, left, values), (_, right, other_values) in zip(
        follow(ids, recorded), follow(other_ids, others), strict=True
    ):
        if left is not None and right is not None:
            told = differences((sides[0], left, values), (sides[1], right, other_values))
            if told:
                found[str(step)] = told
    return found


def main(options: list[str]) -> None:
    found = asyncio.run(outcomes())
    if "--write" in options:
        write(found)
    if "--groups" in options:
        for difference, steps in grouped(found).items():
            print(f"{len(steps):5} {difference}   {steps[0]}")  # noqa: T201
    print(table(found))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
