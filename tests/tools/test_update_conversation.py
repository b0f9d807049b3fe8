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


EVERYTHING: dict[str, Any] = {
    "status": "pending",
    "team": "support",
    "assignee": "bob@acme.test",
    "add_labels": ["VIP", "bug"],
    "custom_attributes": {"a": 1},
    "priority": "urgent",
}


async def test_every_change_at_once_is_made_in_an_order_that_does_not_undo_itself(bench: Bench) -> None:
    result = await update(bench, **EVERYTHING)
    assert result["not_applied"] == []
    assert result["applied"] == ["status", "team", "assignee", "labels", "custom_attributes", "priority"]
    shown = result["conversation"]
    assert (shown["status"], shown["team"]["id"], shown["assignee"]["id"]) == ("pending", 1, 2)
    assert (shown["custom_attributes"], shown["labels"], shown["priority"]) == ({"a": 1}, ["vip", "bug"], "urgent")
    assert [path.rpartition("/")[2] for method, path in bench.requests if method != "GET"] == [
        "toggle_status",
        "assignments",
        "assignments",
        "labels",
        "custom_attributes",
        "3",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "resolved"),
        ("status", "snoozed"),
        ("priority", "low"),
        ("team", "support"),
        ("assignee", "Bob Agent"),
        ("add_labels", ["vip"]),
        ("remove_labels", ["vip"]),
        ("set_labels", ["vip"]),
        ("custom_attributes", {"a": 1}),
        ("unset_custom_attributes", ["a"]),
    ],
)
async def test_one_field_costs_two_requests_once_the_look_ups_are_warm(bench: Bench, field: str, value: Any) -> None:
    await update(bench, **EVERYTHING)
    await update(bench, **{**EVERYTHING, "status": "resolved"})
    bench.sandbox.requests.clear()
    await update(bench, **{field: value})
    assert len(bench.requests) <= 2


async def test_what_is_so_already_is_not_written(bench: Bench) -> None:
    await update(bench, team="support", assignee=2)
    bench.sandbox.requests.clear()
    result = await update(bench, team=1, assignee="Bob Agent")
    assert result["applied"] == ["team", "assignee"]
    assert {method for method, _ in bench.requests} == {"GET"}


# --- Chatwoot's traps ---------------------------------------------------------------------------------------------


async def test_adding_a_label_keeps_the_others_and_removing_one_too(bench: Bench) -> None:
    await update(bench, set_labels=["vip", "bug"])
    assert (await update(bench, add_labels="Refund"))["conversation"]["labels"] == ["vip", "bug", "refund"]
    assert (await update(bench, remove_labels=["BUG"]))["conversation"]["labels"] == ["vip", "refund"]
    assert (await update(bench, add_labels=["bug"], remove_labels=["vip"]))["applied"] == ["labels"]


async def test_all_labels_go_when_asked_for_by_name_not_by_an_empty_list(bench: Bench) -> None:
    await update(bench, set_labels=["vip", "bug"])
    kept = await update(bench, set_labels=[], priority="high")
    assert (kept["applied"], kept["conversation"]["labels"]) == (["priority"], ["vip", "bug"])
    assert (await bench.refused("update_conversation", conversation_id=4, set_labels=[])).code == "invalid_arguments"
    cleared = await update(bench, set_labels="none")
    assert cleared["applied"] == ["labels"]
    assert not cleared["conversation"].get("labels")


async def test_unsetting_an_attribute_keeps_the_others(bench: Bench) -> None:
    await update(bench, custom_attributes={"a": 1, "b": {"c": 2}})
    result = await update(bench, unset_custom_attributes=["a"])
    assert (result["applied"], result["conversation"]["custom_attributes"]) == (["custom_attributes"], {"b": {"c": 2}})


async def test_priority_is_removed_by_a_word_that_chatwoot_answers_with_500(bench: Bench) -> None:
    await update(bench, priority="high")
    assert "priority" not in (await update(bench, priority="none"))["conversation"]


async def test_snooze_times_go_out_in_unix_seconds_and_come_back_the_same(bench: Bench) -> None:
    result = await update(bench, status="snoozed", snoozed_until="2099-01-05T09:00:00+02:00")
    assert (result["applied"], result["not_applied"]) == (["status", "snoozed_until"], [])
    [sent] = [record.body for record in bench.sandbox.requests if record.path.endswith("/toggle_status")]
    assert sent == {"status": "snoozed", "snoozed_until": 4071279600}


async def test_resolving_where_a_survey_is_sent_says_so_before_and_after(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE inboxes SET csat_survey_enabled = 1 WHERE id = 7")
    for dry_run in (True, False):
        [warning] = (await update(bench, status="resolved", dry_run=dry_run))["warnings"]
        assert "survey" in warning


async def test_a_survey_that_cannot_be_looked_up_spoils_no_resolving(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", method="GET", path="/inboxes$", times=None, status=503))
    result = await update(bench, status="resolved")
    assert (result["outcome"], result["applied"], result["not_applied"]) == ("updated", ["status"], [])
    assert (result["conversation"]["status"], result.get("warnings")) == ("resolved", None)
    assert any(path.endswith("/inboxes") for _, path in bench.requests)


async def test_an_agent_who_opens_anothers_conversation_is_told_that_it_is_theirs_now(sandbox: Sandbox) -> None:
    await Bench(sandbox).call("update_conversation", conversation_id=5, status="resolved", assignee=3)
    result = await Bench(sandbox, "sandbox-agent").call("update_conversation", conversation_id=5, status="open")
    assert result["warnings"] == ["The assignee changed as well, from agent 3 (Carla Agent) to agent 2 (Bob Agent)."]


async def test_an_agent_may_open_and_leave_it_with_whom_it_was_in_one_call(sandbox: Sandbox) -> None:
    await Bench(sandbox).call("update_conversation", conversation_id=5, status="resolved", assignee=3)
    bench = Bench(sandbox, "sandbox-agent")
    result = await bench.call("update_conversation", conversation_id=5, status="open", assignee=3)
    assert (result["applied"], result["conversation"]["assignee"]["id"]) == (["status", "assignee"], 3)


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
    assert result["warnings"] == ["Nobody is assigned: setting a team clears an assignee who is not in it."]


async def test_an_unknown_agent_by_a_bot_is_said_to_have_left_nobody(sandbox: Sandbox) -> None:
    await update(Bench(sandbox), assignee=2)
    result = await update(Bench(sandbox, token="sandbox-bot"), account_id=1, assignee=999)
    assert (result["applied"], result["not_applied"]) == (
        [],
        [
            {
                "field": "assignee",
                "asked": 999,
                "reason": "Nobody is assigned now: an agent that Chatwoot does not know unassigns whoever was, and so "
                "may an automation rule or somebody else.",
            }
        ],
    )


async def test_who_may_have_been_put_in_the_assignees_place_by_a_team_is_named(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE account_users SET availability = 'online' WHERE user_id = 3")
    bench.sandbox.store.execute("INSERT OR IGNORE INTO inbox_members (inbox_id, user_id) SELECT id, 3 FROM inboxes")
    await update(bench, assignee=1)
    result = await update(bench, team="billing")
    assert result["conversation"]["assignee"]["id"] != 1
    assert result["warnings"] == [
        "Assigned to agent 3 (Carla Agent): a team that assigns by itself replaces an assignee who is not in it."
    ]


async def test_dry_run_writes_nothing(bench: Bench) -> None:
    result = await update(bench, **EVERYTHING, dry_run=True)
    assert (result["conversation"]["status"], result["applied"]) == ("open", [])
    assert [request["method"] for request in result["requests"]] == ["POST"] * 5 + ["PATCH"]
    assert {method for method, _ in bench.requests} == {"GET"}


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ({"status": "snoozed", "snoozed_until": "2099-01-01T00:00:00Z"}, {"status": "snoozed"}),
        ({"status": "snoozed"}, {"status": "snoozed"}),
        ({"status": "snoozed", "snoozed_until": "2099-01-01T00:00:00Z"}, {"status": "snoozed", "priority": "low"}),
        ({"status": "resolved"}, {"status": "resolved"}),
        ({"priority": "low"}, {"priority": "low"}),
        ({"team": "support"}, {"team": "support"}),
        ({"add_labels": ["vip"]}, {"add_labels": ["vip"]}),
        (EVERYTHING, EVERYTHING),
    ],
)
async def test_a_dry_run_shows_what_is_sent_also_where_it_is_so_already(
    bench: Bench, held: dict[str, Any], asked: dict[str, Any]
) -> None:
    await update(bench, **held)
    dry = await update(bench, **asked, dry_run=True)
    bench.sandbox.requests.clear()
    await update(bench, **asked)
    sent = [(each.method, each.path, each.body) for each in bench.sandbox.requests if each.method != "GET"]
    assert [(each["method"], each["path"], each.get("body")) for each in dry["requests"]] == sent


@pytest.mark.parametrize("more", [{}, {"priority": "low"}, {"dry_run": True}])
async def test_a_snooze_without_a_time_takes_the_time_away_and_says_so(bench: Bench, more: dict[str, Any]) -> None:
    await update(bench, status="snoozed", snoozed_until="2099-01-01T00:00:00Z")
    result = await update(bench, status="snoozed", **more)
    assert result["warnings"] == [
        "No snoozed_until was given: where it was snoozed until a time, Chatwoot takes that time away."
    ]
    query = "SELECT snoozed_until FROM conversations WHERE display_id = ? AND account_id = 1"
    [held] = bench.sandbox.store.rows(query, ID)
    assert (held["snoozed_until"] is None) == ("dry_run" not in more)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({}, "invalid_arguments", "status"),
        ({"status": "closed"}, "invalid_arguments", "status"),
        ({"snoozed_until": "2099-01-01T00:00:00Z"}, "invalid_arguments", "status"),
        ({"status": "open", "snoozed_until": "2099-01-01T00:00:00Z"}, "invalid_arguments", "snoozed_until"),
        ({"status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z"}, "invalid_arguments", "snoozed_until"),
        ({"status": "snoozed", "snoozed_until": "2099-01-01T00:00:00"}, "invalid_arguments", "snoozed_until"),
        ({"status": "snoozed", "snoozed_until": "tomorrow"}, "invalid_arguments", "snoozed_until"),
        ({"priority": "highest"}, "invalid_arguments", "priority"),
        ({"set_labels": ["vip"], "add_labels": ["bug"]}, "invalid_arguments", "set_labels"),
        ({"add_labels": ["vip,bug"]}, "invalid_arguments", "add_labels"),
        ({"add_labels": ["vip"], "remove_labels": [" VIP"]}, "invalid_arguments", "remove_labels"),
        (
            {"custom_attributes": {"plan": 1}, "unset_custom_attributes": ["plan"]},
            "invalid_arguments",
            "unset_custom_attributes",
        ),
        ({"add_labels": ["nosuch"]}, "not_found", "add_labels"),
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
    assert {record.status for record in bench.sandbox.requests if record.method == "POST"} <= {404}


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
    assert failure.text == (
        "Chatwoot failed while changing team; a look showed that it was not changed. Try again. Changed before that: "
        "status."
    )
    assert (await update(bench, status="resolved", team="support"))["applied"] == ["status", "team"]


async def test_a_conversation_that_is_deleted_half_way_was_changed_before_that(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", method="POST", path="/assignments$", status=404))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved", team="support")
    assert (failure.code, failure.field) == ("not_found", "conversation_id")
    assert (
        failure.text
        == "Account 1 has no conversation 3, or the token has no access to it. Changed before that: status."
    )


async def test_taking_the_team_away_is_not_said_to_have_cleared_an_assignee(bench: Bench) -> None:
    await update(bench, team="empty")
    result = await update(bench, team="none")
    assert (result["applied"], result.get("warnings")) == (["team"], None)


async def test_what_changed_beside_is_not_said_to_be_chatwoots_doing(bench: Bench) -> None:
    """A colleague takes the conversation, and resolves it, after our first look."""
    faults, take = bench.sandbox.faults, bench.sandbox.faults.take

    def taking(method: str, path: str) -> Fault | None:
        if method == "PATCH":
            bench.sandbox.store.execute(
                "UPDATE conversations SET assignee_id = 3, status = 'resolved' WHERE display_id = ? AND account_id = 1",
                ID,
            )
        return take(method, path)

    faults.take = taking  # type: ignore[method-assign]
    result = await update(bench, priority="low", add_labels=["vip"])
    assert (result["applied"], result["not_applied"]) == (["labels", "priority"], [])
    assert result["warnings"] == [
        "The assignee changed as well, from nobody to agent 3 (Carla Agent).",
        "The status changed as well: it is resolved now.",
    ]


@pytest.mark.parametrize(("more", "code"), [({}, "outcome_unknown"), ({"priority": "low"}, "chatwoot_error")])
async def test_what_an_automation_changed_back_is_reported(bench: Bench, more: dict[str, Any], code: str) -> None:
    """Here it is a proxy that swallows the write: it answers 200 and nothing happened. Of one change alone no look
    before it tells that it is as it was."""
    bench.sandbox.faults.add(Fault("html", method="POST", path="/toggle_status$"))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved", **more)
    assert (failure.code, failure.field) == (code, "status")


async def test_a_bot_changes_status_and_assignee_but_no_team(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    assert (await update(bench, status="resolved", assignee=2))["applied"] == ["status", "assignee"]
    for changes in ({"team": "support"}, {"assignee": "Bob Agent"}):
        failure = await bench.refused("update_conversation", conversation_id=ID, **changes)
        assert (failure.code, failure.field) == ("bot_not_allowed", next(iter(changes)))


async def test_a_conversation_of_another_inbox_than_allowed_is_refused(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({1})))
    failure = await bench.refused("update_conversation", conversation_id=ID, status="resolved")
    assert failure.code == "not_found"
