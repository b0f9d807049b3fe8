"""The tool on the sandbox: each change to the endpoint that makes it, then read back."""

from __future__ import annotations

from typing import Any

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench

ID = 3
"""An open conversation of inbox 7, nobody's."""


async def update(bench: Bench, **changes: Any) -> dict[str, Any]:
    return await bench.call("update_conversation", conversation_id=ID, **changes)


async def test_every_change_at_once_is_made_in_an_order_that_does_not_undo_itself(bench: Bench) -> None:
    result = await update(bench, status="pending", team="support", assignee="bob@acme.test", custom_attributes={"a": 1})
    assert (result["outcome"], result["not_applied"]) == ("updated", [])
    assert result["applied"] == ["status", "team", "assignee", "custom_attributes"]
    shown = result["conversation"]
    assert (shown["status"], shown["team"]["id"], shown["assignee"]["id"]) == ("pending", 1, 2)
    assert shown["custom_attributes"] == {"a": 1}
    assert [path.rpartition("/")[2] for method, path in bench.requests if method == "POST"] == [
        "toggle_status",
        "assignments",
        "assignments",
        "custom_attributes",
    ]


async def test_what_is_so_already_is_not_written(bench: Bench) -> None:
    await update(bench, team="support", assignee=2)
    bench.sandbox.requests.clear()
    result = await update(bench, team=1, assignee="Bob Agent")
    assert (result["outcome"], result["applied"]) == ("unchanged", ["team", "assignee"])
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_custom_attributes_are_merged_where_chatwoot_would_replace_them(bench: Bench) -> None:
    await update(bench, custom_attributes={"a": 1, "b": 2})
    assert (await update(bench, custom_attributes={"b": 3}))["conversation"]["custom_attributes"] == {"a": 1, "b": 3}


async def test_none_removes_team_and_assignee(bench: Bench) -> None:
    await update(bench, team="support", assignee=2)
    result = await update(bench, team="none", assignee="none")
    assert result["applied"] == ["team", "assignee"]
    assert result["conversation"].keys().isdisjoint({"team", "assignee"})


async def test_a_team_that_clears_the_assignee_is_said_so(bench: Bench) -> None:
    await update(bench, assignee=2)
    result = await update(bench, team="empty")
    assert result["warnings"] == ["Chatwoot also changed the assignee, who is nobody now."]


async def test_an_agent_who_opens_takes_over_and_it_is_said_so(sandbox: Sandbox) -> None:
    await update(Bench(sandbox), status="resolved", assignee=3)
    bench = Bench(sandbox, "sandbox-agent")
    result = await bench.call("update_conversation", conversation_id=5, status="resolved")
    opened = await bench.call("update_conversation", conversation_id=5, status="open")
    assert result["applied"] == opened["applied"] == ["status"]
    assert opened["conversation"]["assignee"]["id"] == 2


async def test_dry_run_writes_nothing(bench: Bench) -> None:
    result = await update(bench, status="resolved", dry_run=True)
    assert (result["outcome"], result["conversation"]["status"]) == ("dry_run", "open")
    assert {method for method, _ in bench.requests} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({}, "invalid_arguments", "status"),
        ({"status": "snoozed"}, "invalid_arguments", "status"),
        ({"team": "nosuch"}, "not_found", "team"),
        ({"team": 77}, "not_found", "team"),
        ({"assignee": "Agent"}, "not_found", "assignee"),
        ({"assignee": 99}, "not_found", "assignee"),
        ({"conversation_id": 20, "status": "open"}, "not_found", "conversation_id"),
    ],
)
async def test_what_is_wrong_changes_nothing(bench: Bench, changes: dict[str, Any], code: str, field: str) -> None:
    failure = await bench.refused("update_conversation", **{"conversation_id": ID, **changes})
    assert (failure.code, failure.field) == (code, field)
    assert "POST" not in {method for method, _ in bench.requests}


async def test_a_name_that_two_have_is_refused_with_both(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE users SET name = 'Bob Agent' WHERE id = 3")
    failure = await bench.refused("update_conversation", conversation_id=ID, assignee="bob agent")
    assert (failure.code, failure.field) == ("ambiguous_name", "assignee")
    assert "2" in failure.text
    assert "3" in failure.text


async def test_an_error_half_way_says_what_is_done(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", method="POST", path="/assignments$", status=500))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved", team="support")
    assert (failure.code, failure.field, failure.retryable) == ("chatwoot_error", "team", True)
    assert "Changed before that: status. Not known to be changed: team." in failure.text
    assert (await update(bench, status="resolved", team="support"))["applied"] == ["status", "team"]


async def test_what_an_automation_changed_back_is_reported(bench: Bench) -> None:
    """Here it is a proxy that swallows the write: it answers 200 and nothing happened."""
    bench.sandbox.faults.add(Fault("html", method="POST", path="/toggle_status$"))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved")
    assert (failure.code, failure.field) == ("unexpected_response", "status")


async def test_a_bot_changes_status_and_assignee_but_no_team(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    assert (await update(bench, status="resolved", assignee=2))["applied"] == ["status", "assignee"]
    for changes in ({"team": "support"}, {"assignee": "Bob Agent"}):
        failure = await bench.refused("update_conversation", conversation_id=ID, **changes)
        assert (failure.code, failure.field) == ("bot_not_allowed", next(iter(changes)))


async def test_a_conversation_of_another_inbox_than_allowed_is_refused(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({1})))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved")
    assert failure.code == "not_allowed"
