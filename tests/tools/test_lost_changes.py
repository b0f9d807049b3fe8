"""Changes whose answers, or whose looks back, are lost: what is said is what happened, or that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault
from support import Bench

ID: Final = 4
SHOW: Final = rf"/conversations/{ID}$"
SUMMARY: Final = "Jane wants her money back."
CHANGES: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "status": ("POST", "/toggle_status$", {"status": "resolved"}),
    "team": ("POST", "/assignments$", {"team": "support"}),
    "assignee": ("POST", "/assignments$", {"assignee": "Bob Agent"}),
    "labels": ("POST", "/labels$", {"set_labels": ["vip"]}),
    "custom_attributes": ("POST", "/custom_attributes$", {"custom_attributes": {"plan": "pro"}}),
    "priority": ("PATCH", SHOW, {"priority": "low"}),
}
CUTS: Final[dict[str, dict[str, Any]]] = {
    "cut": {"kind": "cut_after"},
    "half": {"kind": "broken"},
    "oversized": {"kind": "oversized"},
    "500": {"kind": "status_after", "status": 500},
    "502": {"kind": "status_after", "status": 502},
    "504": {"kind": "status_after", "status": 504},
}
ASKED: Final[dict[str, Any]] = {"team": "support", "assignee": "Carla Agent", "labels": ["vip"], "priority": "low"}


def once(kind: str, method: str, path: str, **more: Any) -> Fault:
    return Fault(kind, method=method, path=path, **more)  # type: ignore[arg-type]


def looks_fail(bench: Bench, after: int = 0) -> None:
    """The conversation can be read ``after`` more times, and then no more."""
    if after:
        bench.sandbox.faults.add(Fault("latency", method="GET", path=SHOW, times=after))
    bench.sandbox.faults.add(Fault("status", method="GET", path=SHOW, times=None, status=503))


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["status"] for step in result["steps"]}


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("cut", CUTS)
async def test_a_change_with_a_lost_answer_that_no_look_finds_is_unknown(bench: Bench, field: str, cut: str) -> None:
    method, path, asked = CHANGES[field]
    bench.sandbox.faults.add(once(method=method, path=path, **CUTS[cut]))
    looks_fail(bench, after=1 if field == "custom_attributes" else 0)
    failure = await bench.refused("update_conversation", conversation_id=ID, **asked)
    assert (failure.code, failure.field, failure.retryable) == ("outcome_unknown", field, True)
    assert f"whether {field} was changed is not known" in failure.text
    assert sum(each == method and each_path.endswith(path.rstrip("$")) for each, each_path in bench.requests) == 1


@pytest.mark.parametrize("field", CHANGES)
async def test_a_change_that_was_made_and_not_read_back_is_applied_by_its_answer(bench: Bench, field: str) -> None:
    looks_fail(bench, after=1 if field == "custom_attributes" else 0)
    result = await bench.call("update_conversation", conversation_id=ID, **CHANGES[field][2])
    assert (result["outcome"], result["applied"], result["not_applied"]) == ("updated", [field], [])
    assert ("warnings" in result) == ("conversation" not in result)


async def test_what_a_handover_changed_and_could_not_read_back_is_done(bench: Bench) -> None:
    """Without a priority, whose answer is the conversation, the last look is all that would show it."""
    looks_fail(bench, after=1)
    asked = {key: value for key, value in ASKED.items() if key != "priority"}
    result = await bench.call("escalate_to_human", conversation_id=ID, summary=SUMMARY, **asked)
    assert statuses(result) == {
        "conversation": "already_done",
        "note": "done",
        "status": "done",
        "team": "done",
        "assignee": "done",
        "labels": "done",
    }
    assert (result["complete"], result["not_applied"], result["conversation_id"]) == (True, [], ID)
    assert "conversation" not in result
    assert "could not be looked at afterwards" in result["warnings"][0]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("field", ["status", "team", "assignee", "labels", "priority"])
async def test_a_step_of_a_handover_with_a_lost_answer_is_looked_for(bench: Bench, field: str, cut: str) -> None:
    method, path, _ = CHANGES[field]
    if field == "assignee":  # the team goes by the same address before
        bench.sandbox.faults.add(Fault("latency", method=method, path=path))
    bench.sandbox.faults.add(once(method=method, path=path, **CUTS[cut]))
    result = await bench.call("escalate_to_human", conversation_id=ID, summary=SUMMARY, **ASKED)
    assert (result["complete"], result["not_applied"]) == (True, [])
    assert statuses(result)[field] == "done"
    shown = result["conversation"]
    assert (shown["status"], shown["team"]["id"], shown["assignee"]["id"], shown["priority"]) == ("open", 1, 3, "low")
    assert "vip" in shown["labels"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "asked", [{"team": "support"}, {"assignee": "Carla Agent"}, {"labels": ["vip"]}, {"priority": "low"}]
)
async def test_where_it_is_the_only_change_it_is_looked_for_as_well(
    bench: Bench, asked: dict[str, Any], cut: str
) -> None:
    """Conversation 3 is open already, so that nothing else is changed."""
    (field,) = asked
    method, path = ("PATCH", "/conversations/3$") if field == "priority" else CHANGES[field][:2]
    bench.sandbox.faults.add(once(method=method, path=path, **CUTS[cut]))
    result = await bench.call("escalate_to_human", conversation_id=3, summary=SUMMARY, **asked)
    assert (result["complete"], statuses(result)[field], result["not_applied"]) == (True, "done", [])
    shown = result["conversation"][field]
    assert shown == asked[field] or shown["name"] == asked[field]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("field", ["status", "team", "labels", "priority"])
async def test_a_step_that_no_look_finds_is_unknown_and_the_others_are_done(bench: Bench, field: str, cut: str) -> None:
    method, path, _ = CHANGES[field]
    bench.sandbox.faults.add(once(method=method, path=path, **CUTS[cut]))
    looks_fail(bench, after=1)
    asked = {key: value for key, value in ASKED.items() if field == "priority" or key != "priority"}
    result = await bench.call("escalate_to_human", conversation_id=ID, summary=SUMMARY, **asked)
    told = statuses(result)
    assert (result["complete"], told.pop(field), "conversation" in result) == (False, "unknown", False)
    assert set(told.values()) == {"already_done", "done"}
    assert result["not_applied"] == []


@pytest.mark.parametrize("lost", [{"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "cut_before"}])
async def test_a_step_that_was_surely_not_made_is_failed_for_its_own_reason(bench: Bench, lost: dict[str, Any]) -> None:
    bench.sandbox.faults.add(once(method="POST", path="/assignments$", **lost))
    result = await bench.call("escalate_to_human", conversation_id=ID, summary=SUMMARY, team="support")
    assert (statuses(result)["team"], result["complete"]) == ("failed", False)
    reason = "Chatwoot failed while changing team; a look showed that it was not changed. Try again."
    assert result["not_applied"] == [{"field": "team", "asked": 1, "reason": reason}]


LATER: Final = "2099-01-05T09:00:00Z"
LOST: Final[dict[str, Any]] = {"kind": "status", "status": 500}
"""The write never arrives, and Chatwoot is said to have failed."""


@pytest.mark.parametrize("held", ["2099-06-01T00:00:00Z", None])
async def test_a_snooze_is_not_found_by_its_status_alone(bench: Bench, held: str | None) -> None:
    """It was snoozed before, until another time; two changes, so that a look goes first."""
    until = {"snoozed_until": held} if held else {}
    await bench.call("update_conversation", conversation_id=ID, status="snoozed", **until)
    bench.sandbox.faults.add(once(method="POST", path="/toggle_status$", **LOST))
    asked = {"conversation_id": ID, "status": "snoozed", "snoozed_until": LATER, "priority": "low"}
    failure = await bench.refused("update_conversation", **asked)
    assert (failure.code, failure.field, failure.retryable) == ("chatwoot_error", "status", True)
    assert "a look showed that it was not changed" in failure.text
    bench.sandbox.faults.add(once("cut_after", "POST", "/toggle_status$"))
    made = await bench.call("update_conversation", **asked)
    assert (made["outcome"], made["not_applied"]) == ("recovered", [])
    assert made["applied"] == ["status", "snoozed_until", "priority"]


@pytest.mark.parametrize(("held", "asked"), [(True, 1), ([{"a": 0}], [{"a": False}]), (1, True)])
async def test_an_attribute_is_not_found_in_another_of_json_that_python_calls_equal(
    bench: Bench, held: Any, asked: Any
) -> None:
    await bench.call("update_conversation", conversation_id=ID, custom_attributes={"plan": held})
    wanted = {"conversation_id": ID, "custom_attributes": {"plan": asked}}
    bench.sandbox.faults.add(once(method="POST", path="/custom_attributes$", **LOST))
    assert (await bench.refused("update_conversation", **wanted)).code == "chatwoot_error"
    made = await bench.call("update_conversation", **wanted)
    assert made["outcome"] == "updated"
    assert repr(made["conversation"]["custom_attributes"]["plan"]) == repr(asked)


SET: Final = "UPDATE conversations SET %s WHERE display_id = 4 AND account_id = 1"
LABEL: Final = (
    "INSERT OR IGNORE INTO conversation_labels SELECT id, 'refund' FROM conversations WHERE display_id = 4 "
    "AND account_id = 1"
)


@pytest.mark.parametrize(
    ("field", "asked", "meanwhile"),
    [
        ("labels", {"add_labels": ["vip"]}, LABEL),
        ("custom_attributes", {"custom_attributes": {"plan": "pro"}}, SET % "custom_attributes = '{}'"),
        ("priority", {"priority": "high", "status": "open"}, SET % "priority = 'low'"),
        ("status", {"status": "resolved", "priority": "urgent"}, SET % "status = 'pending'"),
    ],
)
async def test_a_change_that_somebody_else_may_have_undone_is_not_said_not_to_be_made(
    bench: Bench, field: str, asked: dict[str, Any], meanwhile: str
) -> None:
    """It is made, its answer is lost, and a colleague sets something else before the look."""
    held = {"status": "open", "priority": "urgent", "custom_attributes": {"plan": "free"}}
    await bench.call("update_conversation", conversation_id=ID, **held)
    method, path, _ = CHANGES[field]
    bench.sandbox.faults.add(once("cut_after", method, path))
    take, is_made = bench.sandbox.faults.take, False

    def taking(kind: str, where: str) -> Fault | None:
        nonlocal is_made
        if is_made:
            bench.sandbox.store.execute(meanwhile)
        fault = take(kind, where)
        is_made = fault is not None
        return fault

    bench.sandbox.faults.take = taking  # type: ignore[method-assign]
    failure = await bench.refused("update_conversation", conversation_id=ID, **asked)
    assert (failure.code, failure.field, failure.retryable) == ("outcome_unknown", field, True)


def after(bench: Bench, method: str, path: str, happens: Callable[[], object]) -> None:
    """Something happens once, when the next request comes after the first of this method and path."""
    take, state = bench.sandbox.faults.take, "before"

    def taking(verb: str, where: str) -> Fault | None:
        nonlocal state
        if state == "now":
            state = "over"
            happens()
        if state == "before" and verb == method and re.search(path, where):
            state = "now"
        return take(verb, where)

    bench.sandbox.faults.take = taking  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("asked", "meanwhile"),
    [
        ({"name": "Ned Noble", "email": "ned@customers.test"}, "name = 'Renamed'"),
        ({"custom_attributes": {"plan": "pro"}}, 'custom_attributes = \'{"plan": "free"}\''),
        ({"name": "Ned Noble", "idempotency_key": "k"}, "name = 'Renamed', additional_attributes = '{}'"),
    ],
)
async def test_a_contact_that_somebody_else_changed_meanwhile_is_not_said_not_to_be_written(
    bench: Bench, asked: dict[str, Any], meanwhile: str
) -> None:
    bench.sandbox.faults.add(once("status_after", "PATCH", "/contacts/4$"))
    set_it = f"UPDATE contacts SET {meanwhile} WHERE id = 4"  # noqa: S608
    after(bench, "PATCH", "/contacts/4$", lambda: bench.sandbox.store.execute(set_it))
    assert (await bench.refused("save_contact", contact_id=4, **asked)).code == "outcome_unknown"


async def test_a_change_of_a_contact_that_never_arrived_was_not_made_whatever_else_somebody_changed(
    bench: Bench,
) -> None:
    bench.sandbox.faults.add(once("status", "PATCH", "/contacts/4$"))
    set_it = "UPDATE contacts SET identifier = 'crm-4' WHERE id = 4"
    after(bench, "PATCH", "/contacts/4$", lambda: bench.sandbox.store.execute(set_it))
    failure = await bench.refused("save_contact", contact_id=4, name="Ned Noble")
    assert (failure.code, failure.retryable) == ("chatwoot_error", True)


@pytest.mark.parametrize(
    ("field", "asked", "meanwhile"),
    [
        ("status", {"status": "resolved"}, "status = 'open'"),
        ("team", {"team": "support"}, "team_id = 2"),
        ("assignee", {"assignee": "Carla Agent"}, "assignee_id = 1"),
        ("team", {"status": "open", "team": "support"}, "team_id = 2"),
        ("priority", {"add_labels": ["vip"], "priority": "low"}, "priority = 'high'"),
    ],
)
@pytest.mark.parametrize("tool", ["update_conversation", "escalate_to_human"])
async def test_a_change_that_was_made_is_never_said_not_to_be_whether_or_not_there_was_a_look_before(
    bench: Bench, tool: str, field: str, asked: dict[str, Any], meanwhile: str
) -> None:
    """Its answer is lost, the first look fails, and a colleague sets something else before the second."""
    if tool == "escalate_to_human":
        asked = {("labels" if key == "add_labels" else key): value for key, value in asked.items() if key != "status"}
        field = field if field in asked else "status"
    method, path, _ = CHANGES[field]
    bench.sandbox.faults.add(once("status_after", method, path))

    def happens() -> None:
        bench.sandbox.store.execute(SET % meanwhile)
        bench.sandbox.faults.add(once("status", "GET", SHOW))

    after(bench, method, path, happens)
    if tool == "update_conversation":
        failure = await bench.refused(tool, conversation_id=ID, **asked)
        assert (failure.code, failure.field, failure.retryable) == ("outcome_unknown", field, True)
    else:
        result = await bench.call(tool, conversation_id=ID, summary=SUMMARY, **asked)
        assert statuses(result)[field] == ("unknown" if field != "status" else "done")


async def test_a_contact_that_was_not_made_by_the_call_is_not_said_to_be(bench: Bench) -> None:
    failure = await bench.refused("escalate_to_human", contact_id=999, inbox=2, summary=SUMMARY)
    assert failure.text == "Nothing was sent: account 1 has no contact 999."
    assert (failure.code, failure.field) == ("not_found", "contact_id")


async def test_a_contact_that_the_call_made_is_named_in_what_failed_afterwards(bench: Bench) -> None:
    bench.sandbox.faults.add(once("status", "POST", "/conversations$", status=500))
    new = {"email": "new@customers.test", "inbox": 2, "summary": SUMMARY}
    failure = await bench.refused("escalate_to_human", **new)
    assert failure.text.endswith("Before that contact 32 was created.")
    again = await bench.call("escalate_to_human", **new)
    assert again["complete"] is True


async def test_a_refused_change_of_a_contact_names_who_has_the_value_only_where_a_look_tells(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", method="POST", path="/contacts/filter$", times=None, status=503))
    failure = await bench.refused("save_contact", contact_id=2, email="jane@customers.test")
    assert (failure.code, failure.field) == ("rejected", "email")
    assert failure.text == (
        "Nothing was written: email belong to another contact, which was not found. Use its contact_id, or another "
        "value."
    )
    bench.sandbox.faults.clear()
    failure = await bench.refused("save_contact", contact_id=2, email="jane@customers.test")
    assert failure.text == "Nothing was written: email belong to contact 1. Use that contact_id, or another value."
