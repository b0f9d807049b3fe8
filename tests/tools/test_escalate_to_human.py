"""Handing a customer to the team: one call, whatever the network does, and the same call again finishes the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench

SUMMARY: Final = "Jane wants her money back for order A-1001."
ALL: Final[dict[str, Any]] = {
    "summary": SUMMARY,
    "message": "A colleague will be with you shortly.",
    "priority": "high",
    "team": "support",
    "assignee": "Bob Agent",
    "labels": ["refund"],
}
NEW: Final[dict[str, Any]] = {
    "email": "new@customers.test",
    "phone_number": "+1 555 123 4567",
    "name": "Nora New",
    "inbox": "Help Desk API",
}


async def escalate(bench: Bench, **arguments: Any) -> dict[str, Any]:
    return await bench.call("escalate_to_human", **arguments)


def steps(result: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["status"] for step in result["steps"]}


async def test_a_new_customer_ends_up_with_a_person_in_one_call(bench: Bench) -> None:
    result = await escalate(bench, **NEW, **ALL)
    assert (result["complete"], result["not_applied"]) == (True, [])
    assert steps(result) == {
        "contact": "done",
        "conversation": "done",
        "message": "done",
        "note": "done",
        "status": "already_done",
        "team": "already_done",
        "assignee": "done",
        "labels": "done",
        "priority": "done",
    }
    shown = result["conversation"]
    assert (shown["status"], shown["team"]["name"], shown["assignee"]["name"]) == ("open", "support", "Bob Agent")
    assert (shown["priority"], shown["labels"], result["contact"]["name"]) == ("high", ["refund"], "Nora New")
    assert [text for text in bench.messages(42) if text in {SUMMARY, ALL["message"]}] == [ALL["message"], SUMMARY]


async def test_the_same_call_again_repeats_nothing(bench: Bench) -> None:
    first = await escalate(bench, **NEW, **ALL)
    bench.sandbox.requests.clear()
    second = await escalate(bench, **NEW, **ALL)
    assert second["conversation"] == first["conversation"]
    assert set(steps(second).values()) == {"already_done"}
    assert {record.method for record in bench.sandbox.requests if "filter" not in record.path} == {"GET"}


async def test_an_open_conversation_of_the_customer_in_the_inbox_is_used(bench: Bench) -> None:
    opened = await bench.call(inbox_id=2, contact_id=1)
    result = await escalate(bench, email="jane@customers.test", inbox=2, summary=SUMMARY)
    assert result["conversation"]["id"] == opened["conversation"]["id"]
    assert steps(result)["conversation"] == "already_done"


async def test_without_a_key_the_same_words_another_day_are_another_escalation(bench: Bench) -> None:
    for arguments in ({}, {"idempotency_key": "k"}):
        await escalate(bench, conversation_id=4, summary=SUMMARY, **arguments)
    bench.sandbox.store.execute("UPDATE messages SET created_at = created_at - 2 * 86400")
    assert steps(await escalate(bench, conversation_id=4, summary=SUMMARY))["note"] == "done"
    keyed = await escalate(bench, conversation_id=4, summary=SUMMARY, idempotency_key="k")
    assert steps(keyed)["note"] == "already_done"


async def test_a_conversation_may_be_given(bench: Bench) -> None:
    result = await escalate(bench, conversation_id=4, **ALL)
    assert (result["complete"], result["conversation"]["id"]) == (True, 4)


async def test_a_message_into_a_closed_reply_window_is_skipped_and_said_so(bench: Bench) -> None:
    result = await escalate(bench, contact_id=1, inbox="WhatsApp", summary=SUMMARY, message="Hello")
    assert (result["complete"], steps(result)["message"], steps(result)["note"]) == (False, "skipped", "done")


async def test_upstream_requests_stay_at_nine_once_the_look_ups_are_warm(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE conversations SET status = 'pending' WHERE display_id = 4")
    await escalate(bench, conversation_id=8, **{**ALL, "summary": "warm"})
    await escalate(bench, email="jane@customers.test", inbox="Bot Desk", **{**ALL, "summary": "warm"})
    for target in ({"conversation_id": 4}, {"email": "jane@customers.test", "inbox": "Bot Desk"}):
        bench.sandbox.requests.clear()
        assert (await escalate(bench, **target, **ALL))["complete"]
        assert len(bench.requests) <= 9, bench.requests


# --- inboxes and tokens that make a difference ---


@pytest.mark.parametrize("token", ["sandbox-admin", "sandbox-agent", "sandbox-bot"])
@pytest.mark.parametrize(
    ("contact_id", "inbox"),
    [(1, 14), (1, 16), (5, 2), (1, 15)],
    ids=["bot inbox", "locked inbox", "blocked contact", "locked and resolved"],
)
async def test_it_is_open_and_noted_once_whatever_the_inbox_and_the_token(
    sandbox: Sandbox, token: str, contact_id: int, inbox: int
) -> None:
    bench = Bench(sandbox, token, Policy(default_account=1))
    target: dict[str, Any] = {"contact_id": contact_id, "inbox": inbox, "team": "support", "assignee": 2}
    if token == "sandbox-bot":
        opened = await bench.call(contact_id=contact_id, inbox_id=inbox)
        target = {"conversation_id": opened["conversation"]["id"]}
    target |= {"summary": SUMMARY, "priority": "urgent"}
    first = await escalate(bench, **target)
    second = await escalate(Bench(sandbox, token, Policy(default_account=1)), **target)
    assert (first["complete"], second["complete"]) == (True, True)
    assert first["conversation"]["id"] == second["conversation"]["id"]
    assert (second["conversation"]["status"], second["conversation"]["priority"]) == ("open", "urgent")
    assert bench.messages(second["conversation"]["id"]).count(SUMMARY) == 1


async def test_a_bots_handoff_is_chatwoots_own(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    opened = await bench.call(inbox_id=14, contact_id=1)
    assert opened["conversation"]["status"] == "pending"
    result = await escalate(bench, conversation_id=opened["conversation"]["id"], summary=SUMMARY, message="One moment")
    assert (result["complete"], result["conversation"]["status"]) == (True, "open")
    again = await escalate(bench, conversation_id=opened["conversation"]["id"], summary=SUMMARY, message="One moment")
    assert set(steps(again).values()) == {"already_done"}


async def test_a_bot_has_to_name_the_conversation(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    failure = await bench.refused("escalate_to_human", contact_id=1, inbox=14, summary=SUMMARY)
    assert (failure.code, failure.field, bench.writes) == ("bot_not_allowed", "conversation_id", [])


async def test_an_agents_token_that_opens_anothers_conversation_says_whose_it_was(sandbox: Sandbox) -> None:
    await Bench(sandbox).call("update_conversation", conversation_id=5, status="pending", assignee=3)
    result = await escalate(Bench(sandbox, "sandbox-agent"), conversation_id=5, summary=SUMMARY)
    assert result["warnings"] == ["The assignee changed: it was agent 3, now it is agent 2."]


# --- cut at every single request, then called again ---


@dataclass(frozen=True)
class Case:
    """Who escalates what. ``conversation``: the display id it ends in."""

    name: str
    token: str
    arguments: dict[str, Any]
    prepare: Callable[[Sandbox], None] = lambda _: None


def resolved_by_a_bot_inbox(sandbox: Sandbox) -> None:
    sandbox.store.execute("UPDATE conversations SET inbox_id = 14, status = 'pending' WHERE display_id = 8")


CASES: Final = [
    Case("new customer", "sandbox-admin", {**NEW, **ALL}),
    Case("known customer", "sandbox-agent", {"email": "jane@customers.test", "inbox": "Help Desk API", **ALL}),
    Case("bot inbox", "sandbox-admin", {"contact_id": 1, "inbox": "Bot Desk", **ALL}),
    Case("blocked contact", "sandbox-admin", {"contact_id": 5, "inbox": "Help Desk API", **ALL}),
    Case("locked inbox", "sandbox-admin", {"contact_id": 1, "inbox": "VIP API", **ALL}),
    Case("given conversation", "sandbox-admin", {"conversation_id": 8, **ALL}, resolved_by_a_bot_inbox),
    Case(
        "bot token",
        "sandbox-bot",
        {"conversation_id": 8, "summary": SUMMARY, "priority": "high", "assignee": 2},
        resolved_by_a_bot_inbox,
    ),
]
CUTS: Final = [
    Fault("cut_before", times=1),
    Fault("cut_after", times=1),
    Fault("status", status=500, times=1),
    Fault("status_after", status=500, times=1),
]
MOST_REQUESTS: Final = 22
"""More than any case makes, cold: a cut beyond the last one changes nothing."""


class CutAt:
    """Breaks the n-th request that reaches the sandbox."""

    def __init__(self, sandbox: Sandbox, fault: Fault, number: int) -> None:
        self.left = number
        take = sandbox.faults.take

        def counted(method: str, path: str) -> Fault | None:
            self.left -= 1
            return fault if self.left == 0 else take(method, path)

        sandbox.faults.take = counted  # type: ignore[method-assign]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.kind + str(cut.status))
async def test_cut_at_any_request_the_same_call_again_leaves_everything_done_once(case: Case, cut: Fault) -> None:
    finished = 0
    for number in range(1, MOST_REQUESTS + 1):
        sandbox = Sandbox()
        case.prepare(sandbox)
        policy = Policy(default_account=1)
        cutting = CutAt(sandbox, cut, number)
        try:
            before = {table: count(sandbox, table) for table in ("contacts", "conversations")}
            try:
                await escalate(Bench(sandbox, case.token, policy), **case.arguments)
            except Exception as error:  # noqa: BLE001 - whatever it was, it must be one that tells the model
                told = as_failure(error)
                assert told.code != "internal_error"
            assert number < MOST_REQUESTS or cutting.left > 0, "there are requests that were never cut"
            cutting.left = 0
            result = await escalate(Bench(sandbox, case.token, policy), **case.arguments)
            await check(sandbox, case, result, before)
            finished += 1
        finally:
            sandbox.close()
    assert finished == MOST_REQUESTS


def as_failure(error: Exception) -> Any:
    from chatwoot_mcp.errors import as_failure as convert

    return convert(error)


def count(sandbox: Sandbox, table: str) -> int:
    return len(sandbox.store.rows(f"SELECT id FROM {table}"))  # noqa: S608 - two names of ours


async def check(sandbox: Sandbox, case: Case, result: dict[str, Any], before: dict[str, int]) -> None:
    asked = case.arguments
    assert (result["complete"], result["not_applied"]) == (True, []), result
    shown = result["conversation"]
    assert (shown["status"], shown["priority"], shown["assignee"]["id"]) == ("open", "high", 2)
    if "team" in asked:
        assert shown["team"]["id"] == 1
        assert "refund" in shown["labels"]
    contents = Bench(sandbox).messages(shown["id"])
    assert contents.count(SUMMARY) == 1
    assert contents.count(ALL["message"]) == int("message" in asked)
    assert count(sandbox, "contacts") - before["contacts"] == int("name" in asked)
    assert count(sandbox, "conversations") - before["conversations"] == int(
        "inbox" in asked and asked["inbox"] != "VIP API"
    )


# --- what is wrong ---


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({}, "invalid_arguments", "summary"),
        ({"summary": "x"}, "invalid_arguments", "conversation_id"),
        ({"summary": "x", "contact_id": 1}, "invalid_arguments", "inbox"),
        ({"summary": "x", "conversation_id": 4, "contact_id": 1}, "invalid_arguments", "contact_id"),
        ({"summary": "x", "email": "jane", "inbox": 2}, "invalid_arguments", "email"),
        ({"summary": "x", "phone_number": "5551234", "inbox": 2}, "invalid_arguments", "phone_number"),
        ({"summary": "x", "conversation_id": 20}, "not_found", "conversation_id"),
        ({"summary": "x", "contact_id": 999, "inbox": 2}, "not_found", "contact_id"),
        ({"summary": "x", "contact_id": 1, "inbox": "nosuch"}, "not_found", "inbox"),
        ({"summary": "x", "conversation_id": 4, "team": "nosuch"}, "not_found", "team"),
        ({"summary": "x", "conversation_id": 4, "team": "none"}, "invalid_arguments", "team"),
        ({"summary": "x", "conversation_id": 4, "assignee": " None "}, "invalid_arguments", "assignee"),
        ({"summary": "x", "conversation_id": 4, "assignee": "nosuch"}, "not_found", "assignee"),
        ({"summary": "x", "conversation_id": 4, "labels": ["nosuch"]}, "not_found", "labels"),
        (
            {"summary": "x", "email": "jane@customers.test", "phone_number": "+15550001003", "inbox": 2},
            "ambiguous_name",
            "email",
        ),
        ({"summary": "x", "contact_id": 1, "inbox": "Facebook"}, "source_id_required", "source_id"),
    ],
)
async def test_what_is_wrong_is_named_before_anything_is_written(
    bench: Bench, arguments: dict[str, Any], code: str, field: str
) -> None:
    failure = await bench.refused("escalate_to_human", **arguments)
    assert (failure.code, failure.field) == (code, field)
    assert bench.writes == []


# --- a dry run ---


def sent(bench: Bench) -> list[dict[str, Any]]:
    """The writes that arrived."""
    return [
        {"method": each.method, "path": each.path, "body": each.body}
        for each in bench.sandbox.requests
        if each.method != "GET" and not each.path.endswith("/filter")
    ]


def without_ids_and_marks(request: dict[str, Any], new: dict[str, int]) -> dict[str, Any]:
    """As they would be planned before there is a conversation: marks are made of ids."""
    path = re.sub(rf"/conversations/({new['conversation']}|0)(?=/|$)", "/conversations/new", request["path"])
    body = {key: value for key, value in request["body"].items() if key not in {"contact_id", *MARKED}}
    return {
        **request,
        "path": path,
        "body": body,
        "is_of_new": request["body"].get("contact_id") in {0, new["contact"]},
    }


MARKED: Final = {"content_attributes", "additional_attributes"}
PLANS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("sandbox-admin", {"conversation_id": 4}),
    ("sandbox-admin", {"conversation_id": 3}),
    ("sandbox-bot", {"conversation_id": 4}),
    ("sandbox-admin", NEW),
    ("sandbox-agent", {"email": "jane@customers.test", "inbox": "Help Desk API"}),
    ("sandbox-admin", {"contact_id": 1, "inbox": "Bot Desk"}),
    ("sandbox-admin", {"contact_id": 5, "inbox": 2}),
    ("sandbox-admin", {"contact_id": 1, "inbox": 15}),
    ("sandbox-admin", {"contact_id": 1, "inbox": 16}),
    ("sandbox-admin", {"contact_id": 2, "inbox": "Website"}),
]


@pytest.mark.parametrize(("token", "target"), PLANS, ids=lambda each: str(each)[:60])
async def test_a_dry_run_names_every_step_and_write_of_the_call_that_follows(
    sandbox: Sandbox, token: str, target: dict[str, Any]
) -> None:
    bench = Bench(sandbox, token, Policy(default_account=1))
    asked = {**target, **ALL}
    if token == "sandbox-bot":
        asked = {key: value for key, value in asked.items() if key != "team"} | {"assignee": 2}
    planned = await escalate(bench, **asked, dry_run=True)
    assert (planned["outcome"], planned["complete"], sent(bench)) == ("dry_run", False, [])
    real = await escalate(bench, **asked)
    assert (real["outcome"], real["complete"]) == ("complete", True)
    is_new = "conversation_id" not in planned
    usual = {"done": "planned"}
    expected = {step: usual.get(status, status) for step, status in steps(real).items()}
    if is_new:  # what it is made with
        expected |= {step: "planned" for step in ("status", "team") if step in expected}
    assert steps(planned) == expected
    assert all(step.get("detail") for step in planned["steps"] if step["status"] == "planned")
    if not is_new:
        assert (planned["requests"], planned["conversation_id"]) == (sent(bench), real["conversation_id"])
        return
    new = {"conversation": real["conversation_id"], "contact": real["contact"]["id"]}
    assert [without_ids_and_marks(each, new) for each in planned["requests"]] == [
        without_ids_and_marks(each, new) for each in sent(bench)
    ]
    assert "the id 0 stands for" in planned["warnings"][-1]
    assert planned.get("contact", {"id": new["contact"]})["id"] == new["contact"]


async def test_a_dry_run_after_the_call_plans_nothing_more(bench: Bench) -> None:
    await escalate(bench, conversation_id=4, **ALL)
    again = await escalate(bench, conversation_id=4, **ALL, dry_run=True)
    assert (set(steps(again).values()), again["requests"]) == ({"already_done"}, [])
    resumed = await escalate(bench, **NEW, summary="x")
    again = await escalate(bench, **NEW, summary="x", dry_run=True)
    assert (set(steps(again).values()), again["requests"]) == ({"already_done"}, [])
    assert again["contact"] == resumed["contact"]


async def test_a_dry_run_skips_what_the_call_would(bench: Bench) -> None:
    await escalate(bench, contact_id=1, inbox="WhatsApp", summary="First.")
    planned = await escalate(bench, contact_id=1, inbox="WhatsApp", summary=SUMMARY, message="Hello", dry_run=True)
    assert (steps(planned)["message"], steps(planned)["note"]) == ("skipped", "planned")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"contact_id": 1, "inbox": "Facebook"}, "source_id_required"),
        ({"email": "new@customers.test", "inbox": "Facebook"}, "source_id_required"),
        ({"email": "new@customers.test", "inbox": "WhatsApp"}, "contact_detail_missing"),
        ({"contact_id": 999, "inbox": 2}, "not_found"),
        ({"conversation_id": 999}, "not_found"),
    ],
)
async def test_a_dry_run_refuses_what_the_call_could_not_open(bench: Bench, target: dict[str, Any], code: str) -> None:
    for dry_run in (True, False):
        assert (await bench.refused("escalate_to_human", **target, summary="x", dry_run=dry_run)).code == code


# --- what it came to ---


@pytest.mark.parametrize("version", ["4.7", "4.11", "4.15"])
async def test_a_conversation_that_a_bot_is_not_shown_is_not_said_to_be_there(version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    failure = await bench.refused("escalate_to_human", conversation_id=9999, summary=SUMMARY)
    assert (failure.code, failure.field) == ("not_found", "conversation_id")
    assert failure.text == "Account 1 has no conversation 9999, or the token has no access to it."
    sandbox.close()


async def test_nor_where_nothing_could_be_written_into_it_or_nothing_was_tried() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    planned = await escalate(bench, conversation_id=9999, summary=SUMMARY, dry_run=True)
    assert steps(planned) == {"conversation": "unknown", "note": "planned", "status": "planned"}
    sandbox.faults.add(Fault("status", method="POST", times=None, status=500))
    tried = await escalate(bench, conversation_id=4, summary=SUMMARY)
    assert (steps(tried)["conversation"], tried["outcome"], tried["complete"]) == ("unknown", "incomplete", False)
    sandbox.faults.clear()
    made = await escalate(bench, conversation_id=4, summary="Another.")
    assert (steps(made)["conversation"], made["outcome"]) == ("already_done", "complete")
    planned = await escalate(bench, conversation_id=4, summary="Another.", dry_run=True)
    assert steps(planned)["note"] == "already_done"
    sandbox.close()


async def test_a_conversation_that_is_deleted_half_way_is_a_failed_step(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("latency", method="POST", path="/messages$"))
    bench.sandbox.faults.add(Fault("status", method="POST", times=None, status=404))
    result = await escalate(bench, conversation_id=4, **ALL)
    assert (result["outcome"], steps(result)["message"], steps(result)["note"]) == ("incomplete", "done", "failed")


# --- a bot's token, which is shown the last message alone ---

LAST_ALONE: Final = (
    "A bot's token is shown the last message at most: whether another process wrote the note or the message before "
    "is not known."
)
FOR_BOTS: Final[dict[str, Any]] = {
    "conversation_id": 5,
    "summary": SUMMARY,
    "message": "One moment",
    "priority": "high",
}


def answer_of_customer(sandbox: Sandbox, number: int = 1, ago: int = 0) -> None:
    row = sandbox.store.row("SELECT * FROM conversations WHERE display_id = 5 AND account_id = 1")
    assert row is not None
    for _ in range(number):
        sandbox.store.insert(
            "messages",
            account_id=1,
            inbox_id=row["inbox_id"],
            conversation_id=row["id"],
            message_type=0,
            sender_type="Contact",
            sender_id=row["contact_id"],
            content="ok thanks",
            private=0,
            created_at=sandbox.store.now() - ago,
            updated_at=sandbox.store.now(),
        )


def written(bench: Bench) -> tuple[int, int]:
    """How often the message and the note are there."""
    contents = bench.messages(5)
    return contents.count("One moment"), contents.count(SUMMARY)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}], ids=["no key", "key"])
async def test_a_bots_same_call_after_the_customers_answer_repeats_nothing(
    sandbox: Sandbox, complete: bool, key: dict[str, str]
) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    if not complete:
        sandbox.faults.add(Fault("status", method="PATCH", path="/conversations/5$", status=500))
    first = await escalate(bench, **FOR_BOTS, **key)
    assert (first["complete"], first["warnings"]) == (complete, [LAST_ALONE])
    answer_of_customer(sandbox)
    planned = await escalate(bench, **FOR_BOTS, **key, dry_run=True)
    again = await escalate(bench, **FOR_BOTS, **key)
    for result in (planned, again):
        assert (steps(result)["message"], steps(result)["note"]) == ("already_done", "already_done")
        assert "warnings" not in result
    assert (again["complete"], written(bench)) == (True, (1, 1))


@pytest.mark.parametrize("lacking", ["message", "note"])
async def test_a_bots_same_call_writes_only_what_the_first_could_not(sandbox: Sandbox, lacking: str) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    if lacking == "note":
        sandbox.faults.add(Fault("latency", method="POST", path="/messages$"))
    sandbox.faults.add(Fault("status", method="POST", path="/messages$", status=500))
    first = await escalate(bench, **FOR_BOTS)
    assert steps(first)[lacking] == "failed"
    answer_of_customer(sandbox)
    again = await escalate(bench, **FOR_BOTS)
    assert (steps(again)[lacking], again["complete"], written(bench)) == ("done", True, (1, 1))


async def test_what_a_bot_may_have_sent_is_not_sent_again(sandbox: Sandbox) -> None:
    class Answered(Bench):
        async def _sleep(self, seconds: float) -> None:
            await super()._sleep(seconds)
            answer_of_customer(sandbox)

    bench = Answered(sandbox, "sandbox-bot", Policy(default_account=1))
    sandbox.faults.add(Fault("cut_after", method="POST", path="/messages$"))
    take, looks = sandbox.faults.take, [0]

    def lost_then_answered(method: str, path: str) -> Fault | None:
        fault = take(method, path)
        if fault is not None and fault.kind == "cut_after":
            looks[0] = 2
        elif looks[0] and method == "GET" and path.endswith("/conversations/5"):
            looks[0] -= 1
            return Fault("status", status=500)
        return fault

    sandbox.faults.take = lost_then_answered  # type: ignore[method-assign]
    first = await escalate(bench, **{**FOR_BOTS, "priority": "low"})
    assert (steps(first)["message"], steps(first)["note"]) == ("unknown", "done")
    answer_of_customer(sandbox)
    for dry_run in (True, False):
        again = await escalate(bench, **{**FOR_BOTS, "priority": "low"}, dry_run=dry_run)
        assert (steps(again)["message"], steps(again)["note"]) == ("unknown", "already_done")
    assert written(bench) == (1, 1)


# --- two processes, one key ---


async def test_a_call_of_another_process_between_look_and_write_is_told(sandbox: Sandbox) -> None:
    policy, arguments = Policy(default_account=1), {**FOR_BOTS, "idempotency_key": "k"}
    others = [Bench(sandbox, policy=policy)]

    async def after_the_other(scope: Any, receive: Any, send: Any) -> None:
        if others and (scope["method"], scope["path"][-9:]) == ("POST", "/messages"):
            await escalate(others.pop(), **arguments)
        await sandbox.app(scope, receive, send)

    bench = Bench(sandbox, policy=policy, app=after_the_other)
    result = await escalate(bench, **arguments)
    assert (steps(result)["message"], steps(result)["note"], written(bench)) == ("done", "done", (2, 2))
    told = [each for each in result["warnings"] if each.startswith("Another process used this")]
    assert len(told) == 2


async def test_more_of_the_day_than_is_looked_through_is_told(sandbox: Sandbox) -> None:
    policy, arguments = Policy(default_account=1), {**FOR_BOTS, "idempotency_key": "k"}
    first = Bench(sandbox, policy=policy)
    await escalate(first, **arguments)
    sandbox.store.execute("UPDATE messages SET created_at = created_at - 7200")
    answer_of_customer(sandbox, number=220, ago=3600)
    same_process = await escalate(first, **arguments)
    assert (steps(same_process)["message"], steps(same_process)["note"]) == ("already_done", "already_done")
    assert "warnings" not in same_process
    for dry_run in (True, False):
        other = await escalate(Bench(sandbox, policy=policy), **arguments, dry_run=dry_run)
        assert other["warnings"] == [
            "idempotency_key: only the newest 200 messages were looked through for an earlier call of another process."
        ]
    assert written(first) == (2, 2)
