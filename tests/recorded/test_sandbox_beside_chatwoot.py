"""The sandbox answers as a real Chatwoot was recorded to, but for the known differences."""

from __future__ import annotations

from typing import Any

import pytest

from recorded.comparison import Side, differences
from recorded.player import Answer, Step, Values
from recorded.table import Group, Outcome, follow, known, mended, outcomes, recording, table, unlisted

IDS = {"token:admin": "secret-of-ada", "inbox:api": 2, "inbox:web": 1, "conv:1": 1, "user:ada": 7}
STEP = Step("area", "scenario", 3, 0, {})
KNOWN = Group("why", "status 404, not 200", ("scenario[3]",))


def compared(left: Any, right: Any, **saved: Any) -> list[str]:
    """Two bodies of JSON. ``saved`` are ids on the left; on the right they are ten more."""
    mine, yours = Values(IDS, saved), Values(IDS, {name: value + 10 for name, value in saved.items()})
    side = Side(IDS)
    return differences((side, Answer(200, "json", left, {}), mine), (side, Answer(200, "json", right, {}), yours))


async def test_what_differs_from_the_recording_is_listed_and_what_is_listed_differs() -> None:
    found = await outcomes()
    assert (unlisted(found, known()), mended(found, known())) == ([], [])
    assert len(found) > 3_000


def test_a_difference_that_is_not_listed_and_an_entry_that_no_longer_differs_are_told() -> None:
    assert unlisted([Outcome(STEP, ("value /id",))], [KNOWN]) == ["scenario[3]: value /id"]
    assert mended([Outcome(STEP, ())], [KNOWN]) == ["scenario[3]: status 404, not 200"]
    differing = [Outcome(STEP, ("status 404, not 200",))]
    assert (unlisted(differing, [KNOWN]), mended(differing, [KNOWN])) == ([], [])


def test_the_table_counts_steps_by_area() -> None:
    found = [Outcome(STEP, ()), Outcome(STEP, ("value /id",)), Outcome(STEP, ("GET /",), served=False)]
    assert [line.split() for line in table(found).splitlines()][1:] == [
        ["area", "1", "1", "1"],
        ["all", "1", "1", "1"],
        ["all,", "without", "odd", "steps", "1", "1", "1"],
    ]


def test_a_recording_does_not_differ_from_itself() -> None:
    ids, recorded = recording()
    side = Side(ids)
    found = [
        (str(step), told)
        for step, answer, values in follow(ids, recorded)
        if answer is not None and (told := differences((side, answer, values), (side, answer, values)))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ({"a": 1}, {"a": 2}, ["value /a"]),
        ({"a": 1}, {"a": "1"}, ["type /a: number, not text"]),
        ({"a": 1}, {"a": True}, ["type /a: number, not boolean"]),
        ({"a": 1}, {}, ["lacks /a"]),
        ({}, {"a": None}, ["has /a"]),
        ([1, 2], [2, 1], ["value /*"]),
        ([1, 2], [1], ["length /"]),
        ([{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}], ["order /"]),
        ([{"name": "a", "x": 1}, {"name": "b"}], [{"name": "a", "x": 2}], ["lacks /*", "value /*/x"]),
        ({"inbox_id": 1}, {"inbox_id": 2}, ["value /inbox_id"]),
        ({"message_id": 31}, {"message_id": 77}, []),
        ({"created_at": 1_780_000_000}, {"created_at": 1_790_000_000}, []),
        ({"created_at": 1_780_000_000}, {"created_at": 1_780_000_000.5}, ["value /created_at"]),
        ({"created_at": 1_780_000_000}, {"created_at": None}, ["type /created_at: number, not null"]),
        ({"at": "2026-01-01T00:00:00.000Z"}, {"at": "2025-02-02T00:00:00.123Z"}, []),
        ({"at": "2026-01-01T00:00:00.000Z"}, {"at": "2025-02-02T00:00:00Z"}, ["value /at"]),
        ({"key": "b9f3a2c4d5e6f7a8b9c0d1"}, {"key": "a1b2c3d4e5f6a7b8c9d0e1f2"}, []),
    ],
)
def test_what_counts_as_a_difference(left: Any, right: Any, told: list[str]) -> None:
    assert compared(left, right) == told


def test_ids_that_were_saved_are_compared_by_their_names() -> None:
    assert compared({"conversation_id": 50}, {"conversation_id": 60}, conv=50) == []
    assert compared({"conversation_id": 50}, {"conversation_id": 61}, conv=50, other=51) == ["value /conversation_id"]
    assert compared({"conversation_id": 1}, {"conversation_id": 60}, conv=50) == ["value /conversation_id"]
