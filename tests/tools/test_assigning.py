"""Inboxes that assign by themselves, a moment after Chatwoot's answer: said, and never mistaken for something else."""

from __future__ import annotations

from typing import Any

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_sandbox.jobs import Job
from chatwoot_sandbox.records.assignment import schedule_assignment
from chatwoot_tools import Policy
from support import Bench

MAY_FOLLOW = "Nobody is assigned yet: the inbox assigns by itself, and an agent may be assigned a moment later."
AUTO: dict[str, Any] = {"inbox_id": 1, "contact_id": 1}


async def update(bench: Bench, number: int, **changes: Any) -> dict[str, Any]:
    return await bench.call("update_conversation", conversation_id=number, **changes)


async def assignee(bench: Bench, number: int) -> str | None:
    shown = await bench.call("get_conversation", conversation_id=number)
    return shown["conversation"].get("assignee", {}).get("name")


async def test_a_new_conversation_is_nobodys_and_an_agent_may_follow(bench: Bench) -> None:
    result = await bench.call(**AUTO)
    shown = result["conversation"]
    assert ("assignee" in shown, result["not_applied"], result["warnings"]) == (False, [], [MAY_FOLLOW])
    bench.sandbox.settle()
    assert await assignee(bench, shown["id"]) == "Bob Agent"


async def test_a_warm_call_costs_one_request(bench: Bench) -> None:
    await bench.call(**AUTO)
    bench.sandbox.requests.clear()
    assert (await bench.call(**AUTO))["warnings"] == [MAY_FOLLOW]
    assert bench.requests == [("POST", "/api/v1/accounts/1/conversations")]


@pytest.mark.parametrize("given", [{"assignee_id": 1}, {"inbox_id": 2}, {"status": "pending"}, {"team_id": 2}])
async def test_nothing_is_said_where_nobody_will_follow(bench: Bench, given: dict[str, Any]) -> None:
    result = await bench.call(**{**AUTO, **given})
    assert (result["not_applied"], result.get("warnings")) == ([], None)
    before = result["conversation"].get("assignee", {}).get("name")
    bench.sandbox.settle()
    assert await assignee(bench, result["conversation"]["id"]) == before


async def test_an_older_account_has_assigned_already(bench: Bench) -> None:
    bench.sandbox.store.update("accounts", 1, features="{}")
    result = await bench.call(**AUTO)
    assert (result["conversation"]["assignee"]["id"], result.get("warnings")) == (2, None)


async def test_a_bots_token_cannot_see_it_and_does_not_fail(sandbox: Sandbox) -> None:
    result = await Bench(sandbox, "sandbox-bot", Policy(default_account=1)).call(**AUTO)
    assert MAY_FOLLOW not in result["warnings"]


async def test_a_line_of_activity_in_the_answer_is_not_taken_for_the_first_message(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded: a fast job's line may be the last message of the answer already."""

    def at_once(job: Job) -> None:
        job()

    monkeypatch.setattr(bench.sandbox.store, "later", at_once)
    result = await bench.call(**AUTO, assignee_id=2, message={"content": "Hello"})
    [said] = bench.sandbox.store.rows("SELECT content FROM messages WHERE message_type = 2 ORDER BY id DESC LIMIT 1")
    assert said["content"] == "Assigned to Bob Agent by Ada Admin"
    assert (result["message"]["content"], result["not_applied"], result.get("warnings")) == ("Hello", [], None)


async def test_a_found_conversation_shows_its_first_message_though_a_line_followed(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("cut_after", method="POST", path="/conversations$"))
    result = await bench.call(**AUTO, message={"content": "Hello"})
    assert (result["outcome"], result["message"]["content"], result["not_applied"]) == ("recovered", "Hello", [])
    assert result.get("warnings") == (None if "assignee" in result["conversation"] else [MAY_FOLLOW])


async def test_a_reply_that_was_not_delivered_is_known_by_its_key_all_the_same(sandbox: Sandbox) -> None:
    opened = await Bench(sandbox).call(inbox_id=5, contact_id=1)
    reply = {"conversation_id": opened["conversation"]["id"], "content": "Hello", "idempotency_key": "k"}
    first = await Bench(sandbox).call("reply_to_conversation", **reply)
    sandbox.settle()
    second = await Bench(sandbox).call("reply_to_conversation", **reply)
    assert (first["message"]["status"], second["message"]["status"]) == ("sent", "failed")
    assert (first["outcome"], second["outcome"], second["message"]["id"]) == (
        "sent",
        "already_sent",
        first["message"]["id"],
    )


# --- changes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"assignee": "none"}, {"team": "empty"}])
async def test_who_is_unassigned_may_get_an_agent_again(bench: Bench, asked: dict[str, str]) -> None:
    result = await update(bench, 8, **asked)
    assert (result["applied"], result["not_applied"]) == ([*asked], [])
    assert "assignee" not in result["conversation"]
    assert result["warnings"][-1] == MAY_FOLLOW


async def test_a_warm_change_makes_no_more_requests_for_it(bench: Bench) -> None:
    await update(bench, 8, assignee="none")
    bench.sandbox.requests.clear()
    await update(bench, 8, assignee="none")
    assert [method for method, _ in bench.requests] == ["POST", "GET"]


@pytest.mark.parametrize(("number", "asked"), [(12, {"status": "open"}), (36, {"status": "open", "priority": "low"})])
async def test_who_opens_an_unassigned_one_hears_of_the_agent_or_that_one_may_follow(
    bench: Bench, number: int, asked: dict[str, str]
) -> None:
    result = await update(bench, number, **asked)
    assert (result["applied"], result["not_applied"]) == ([*asked], [])
    if "assignee" not in result["conversation"]:
        assert result["warnings"] == [MAY_FOLLOW]
    bench.sandbox.settle()
    assert await assignee(bench, number) == "Bob Agent"


@pytest.mark.parametrize(
    ("number", "asked"),
    [(8, {"status": "resolved", "assignee": "none"}), (8, {"priority": "low"}), (3, {"assignee": "none"})],
    ids=["not open", "not about it", "another inbox"],
)
async def test_other_changes_say_nothing_of_it(bench: Bench, number: int, asked: dict[str, str]) -> None:
    assert MAY_FOLLOW not in (await update(bench, number, **asked)).get("warnings", [])


def assign_before_looks_at(sandbox: Sandbox, number: int) -> None:
    """Another conversation's job assigns all of the inbox, just before this one is read."""
    inbox = sandbox.store.row("SELECT * FROM inboxes WHERE id = 1")
    take = sandbox.faults.take

    def taking(method: str, path: str) -> Fault | None:
        if method == "GET" and path.endswith(f"/conversations/{number}") and inbox is not None:
            schedule_assignment(sandbox.store, inbox, "open")
            sandbox.settle()
        return take(method, path)

    sandbox.faults.take = taking  # type: ignore[method-assign]


async def test_an_agent_who_was_assigned_before_the_look_back_is_no_change_refused(bench: Bench) -> None:
    assign_before_looks_at(bench.sandbox, 8)
    result = await update(bench, 8, assignee="none")
    assert (result["applied"], result["not_applied"]) == (["assignee"], [])
    assert result["conversation"]["assignee"]["id"] == 2
    assert result["warnings"] == [
        "Nobody was assigned, as asked; since then agent 2 (Bob Agent) is: by a person, an automation rule, or the "
        "inbox, which assigns by itself."
    ]


async def test_an_agent_whom_a_colleague_assigned_is_not_said_to_be_the_inboxs_choice(bench: Bench) -> None:
    store, take = bench.sandbox.store, bench.sandbox.faults.take

    def taking(method: str, path: str) -> Fault | None:
        if method == "GET" and path.endswith("/conversations/8"):
            store.execute("UPDATE conversations SET assignee_id = 3 WHERE display_id = 8 AND account_id = 1")
        return take(method, path)

    bench.sandbox.faults.take = taking  # type: ignore[method-assign]
    result = await update(bench, 8, assignee="none")
    assert (result["applied"], result["conversation"]["assignee"]["id"]) == (["assignee"], 3)
    assert result["warnings"] == [
        "Nobody was assigned, as asked; since then agent 3 (Carla Agent) is: by a person, an automation rule, or the "
        "inbox, which assigns by itself."
    ]


async def test_a_bots_token_is_told_who_may_have_done_it(sandbox: Sandbox) -> None:
    assign_before_looks_at(sandbox, 8)
    result = await update(Bench(sandbox, "sandbox-bot", Policy(default_account=1)), 8, assignee="none")
    [entry] = result["not_applied"]
    assert entry == {
        "field": "assignee",
        "asked": "none",
        "actual": 2,
        "reason": "Somebody is assigned since: by a person, an automation rule, or an inbox that assigns by itself.",
    }


# --- handing over -------------------------------------------------------------------------------------------------


async def test_handing_over_to_nobody_in_particular_says_that_an_agent_may_follow(bench: Bench) -> None:
    result = await bench.call("escalate_to_human", contact_id=1, inbox="Website", summary="Refund.")
    assert (result["complete"], result["not_applied"], result["warnings"]) == (True, [], [MAY_FOLLOW])
    again = await bench.call("escalate_to_human", contact_id=1, inbox="Website", summary="Refund.")
    assert (again["complete"], again["not_applied"], {step["status"] for step in again["steps"]}) == (
        True,
        [],
        {"already_done"},
    )
    bench.sandbox.settle()
    assert await assignee(bench, result["conversation"]["id"]) == "Bob Agent"


async def test_handing_a_waiting_conversation_over_shows_the_agent_or_says_that_one_may_follow(bench: Bench) -> None:
    result = await bench.call("escalate_to_human", conversation_id=12, summary="Refund.")
    assert (result["complete"], result["not_applied"]) == (True, [])
    assert ("assignee" in result["conversation"]) != (result.get("warnings") == [MAY_FOLLOW])
    bench.sandbox.settle()
    assert await assignee(bench, 12) == "Bob Agent"


@pytest.mark.parametrize(
    "given",
    [{"conversation_id": 8}, {"conversation_id": 3}, {"conversation_id": 12, "assignee": "Carla Agent"}],
    ids=["somebody's already", "another inbox", "for somebody"],
)
async def test_handing_over_where_nobody_will_follow_says_nothing_of_it(bench: Bench, given: dict[str, Any]) -> None:
    assert (await bench.call("escalate_to_human", **given, summary="Refund.")).get("warnings") is None
