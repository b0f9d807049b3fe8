"""The tools on older Chatwoots: they go by what is answered, act, and say what was not looked at."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench

OLD: Final = ("3.16", "4.0", "4.7", "4.11")
EVERY: Final = (*OLD, "4.15")
NOW: Final = time.time()
API: Final = 2
NAMELESS: Final = 4
"""A contact with no detail and no conversation."""
ONLY_NEWEST: Final = (
    "This Chatwoot (before 4.15) gives a customer's 20 most recently active conversations alone: others were not "
    "looked through."
)


@pytest.fixture(params=OLD)
async def old(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(chatwoot=request.param, clock=lambda: NOW)
    yield sandbox
    sandbox.close()


def person(sandbox: Sandbox) -> Bench:
    return Bench(sandbox, policy=Policy(default_account=1))


def bot(sandbox: Sandbox) -> Bench:
    return Bench(sandbox, "sandbox-bot", Policy(default_account=1))


def held(sandbox: Sandbox, number: int) -> dict[str, Any]:
    """The conversation as it really is."""
    row = sandbox.store.row("SELECT * FROM conversations WHERE account_id = 1 AND display_id = ?", number)
    assert row is not None
    return row


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["status"] for step in result["steps"]}


# --- a customer's conversations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"status": "all"},
        {"status": "resolved"},
        {"inbox": "Help Desk API", "status": "all"},
        {"assignee": "Bob Agent", "status": "all"},
        {"assignee": "none", "status": "all"},
        {"labels": ["refund", "billing", "vip", "bug"], "status": "all"},
        {"team": "support", "status": "all"},
        {"created_after": "2020-01-01", "status": "all"},
        {"created_before": "2020-01-01", "status": "all"},
    ],
    ids=lambda narrowed: "-".join(narrowed) or "open",
)
async def test_a_customers_conversations_are_those_that_the_newest_chatwoot_filters(
    old: Sandbox, narrowed: dict[str, Any]
) -> None:
    newest = Sandbox(clock=lambda: NOW)
    for sandbox in (old, newest):
        sandbox.store.execute("UPDATE conversations SET contact_id = 9 WHERE display_id BETWEEN 3 AND 14")
        sandbox.store.execute("UPDATE conversations SET team_id = 1 WHERE display_id IN (5, 6)")
    expected = await person(newest).call("find_conversations", contact_id=9, **narrowed)
    assert await person(old).call("find_conversations", contact_id=9, **narrowed) == expected
    newest.close()


async def test_of_a_customer_with_many_conversations_the_newest_are_shown_and_the_rest_is_told(old: Sandbox) -> None:
    old.store.execute("UPDATE conversations SET contact_id = 9 WHERE display_id > 2")
    bench = person(old)
    page = await bench.call("find_conversations", contact_id=9, status="all", limit=15)
    rest = await bench.call("find_conversations", contact_id=9, status="all", limit=15, cursor=page["next_cursor"])
    assert [len(each["conversations"]) for each in (page, rest)] == [15, 5]
    assert [each["warnings"] for each in (page, rest)] == [[ONLY_NEWEST]] * 2
    assert ("total" in page, "total" in rest, "next_cursor" in rest) == (False, False, False)


async def test_a_customer_whom_nobody_knows_has_no_conversations(old: Sandbox) -> None:
    assert await person(old).call("find_conversations", contact_id=999) == {"conversations": [], "total": 0}


async def test_a_key_opens_a_conversation_for_a_customer_with_more_than_can_be_looked_through(old: Sandbox) -> None:
    old.store.execute("UPDATE conversations SET contact_id = 9 WHERE display_id > 2")
    wanted = {"inbox_id": API, "contact_id": 9, "idempotency_key": "k"}
    made = await person(old).call(**wanted)
    assert made["outcome"] == "created"
    assert made["warnings"] == [
        "idempotency_key: only the contact's 20 most recently active conversations were looked through for an earlier "
        "call of another process."
    ]
    again = await person(old).call(**wanted)
    assert (again["outcome"], again["conversation"]["id"]) == ("already_created", made["conversation"]["id"])


async def test_a_key_that_was_looked_for_in_every_page_says_how_far_it_looked() -> None:
    sandbox = Sandbox()
    template = held(sandbox, 3)
    for number in range(1_000, 1_260):
        copy = {**template, "display_id": number, "uuid": f"copy-{number}", "contact_id": 9}
        del copy["id"]
        sandbox.store.insert("conversations", **copy)
    made = await person(sandbox).call(inbox_id=API, contact_id=9, idempotency_key="k")
    assert made["outcome"] == "created"
    assert "only the contact's 250 most recently active conversations" in made["warnings"][0]
    sandbox.close()


# --- contacts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY)
async def test_a_contact_is_found_by_phone_number_and_not_made_twice(version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    bench = person(sandbox)
    found = await bench.call("find_contacts", phone_number="+15550001001")
    assert [contact["id"] for contact in found["contacts"]] == [1]
    saved = await bench.call("save_contact", phone_number="+15550001001", name="Jane Roe")
    assert (saved["outcome"], saved["contact"]["id"]) == ("updated", 1)
    sandbox.close()


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(("inbox_id", "what"), [(3, "e-mail address"), (4, "phone number"), (5, "phone number")])
async def test_a_contact_without_what_the_inbox_needs_is_named_whatever_the_status(
    version: str, inbox_id: int, what: str
) -> None:
    sandbox = Sandbox(chatwoot=version)
    failure = await person(sandbox).refused(inbox_id=inbox_id, contact_id=NAMELESS)
    assert (failure.code, failure.field, failure.retryable) == ("contact_detail_missing", "contact_id", False)
    assert f"contact 4 has no {what}" in failure.text
    sandbox.close()


# --- bots -----------------------------------------------------------------------------------------------------------


async def test_a_bot_changes_what_it_is_not_shown_and_says_so(old: Sandbox) -> None:
    bench = bot(old)
    result = await bench.call("update_conversation", conversation_id=7, status="open", assignee=2)
    assert result == {
        "outcome": "updated",
        "applied": ["status", "assignee"],
        "not_applied": [],
        "warnings": [
            "The conversation could not be looked at (a bot's token is not shown all of them): applied goes by what "
            "Chatwoot answered to each change, and what else changed is not known."
        ],
    }
    assert (held(old, 7)["status"], held(old, 7)["assignee_id"]) == ("open", 2)


async def test_a_bot_is_told_by_the_answer_when_an_assignee_was_not_taken(old: Sandbox) -> None:
    result = await bot(old).call("update_conversation", conversation_id=7, assignee=999)
    assert result["applied"] == []
    assert [(entry["field"], entry["asked"], "actual" in entry) for entry in result["not_applied"]] == [
        ("assignee", 999, False)
    ]


async def test_the_answer_to_a_priority_shows_a_bot_everything(old: Sandbox) -> None:
    result = await bot(old).call("update_conversation", conversation_id=7, status="resolved", priority="high")
    assert (result["applied"], result["conversation"]["priority"]) == (["status", "priority"], "high")
    assert "warnings" not in result


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"custom_attributes": {"plan": "pro"}}, "custom_attributes"), ({"add_labels": ["vip"]}, "labels")],
)
async def test_what_would_replace_what_a_bot_is_not_shown_is_refused(
    old: Sandbox, changes: dict[str, Any], field: str
) -> None:
    bench = bot(old)
    failure = await bench.refused("update_conversation", conversation_id=7, status="open", **changes)
    assert (failure.code, failure.field) == ("bot_not_allowed", field)
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_a_bot_hands_over_what_it_is_not_shown_and_a_second_call_repeats_nothing(old: Sandbox) -> None:
    bench = bot(old)
    call = {"conversation_id": 7, "summary": "Wants a person.", "message": "A person will write.", "assignee": 2}
    first = await bench.call("escalate_to_human", **call)
    assert (first["complete"], first["conversation_id"], "conversation" in first) == (True, 7, False)
    assert statuses(first) == {
        "conversation": "already_done",
        "message": "done",
        "note": "done",
        "status": "done",
        "assignee": "done",
    }
    assert [warning.split(",")[0] for warning in first["warnings"]] == [
        "Not looked at",
        "The conversation could not be looked at afterwards (a bot's token is not shown all of them): the steps go by "
        "what Chatwoot answered to each change",
    ]
    second = await bench.call("escalate_to_human", **call)
    assert (statuses(second)["message"], statuses(second)["note"]) == ("already_done", "already_done")
    assert [text for text in bench.messages(7) if text in call.values()] == ["A person will write.", "Wants a person."]
    assert (held(old, 7)["status"], held(old, 7)["assignee_id"]) == ("open", 2)


async def test_a_bots_label_that_cannot_be_set_is_a_failed_step_and_the_rest_is_done(old: Sandbox) -> None:
    result = await bot(old).call("escalate_to_human", conversation_id=7, summary="Please.", labels=["vip"])
    assert result["complete"] is False
    assert statuses(result) == {"conversation": "already_done", "note": "done", "labels": "failed", "status": "done"}
    assert [entry["field"] for entry in result["not_applied"]] == ["labels"]


async def test_a_bot_writes_notes_and_replies_where_it_is_shown_nothing(old: Sandbox) -> None:
    bench = bot(old)
    keyed = {"conversation_id": 7, "idempotency_key": "k"}
    note = await bench.call("add_private_note", content="A note.", **keyed)
    assert note["outcome"] == "sent"
    drops_marks = old.store.version.before(4, 11)
    assert note["warnings"] == [
        "idempotency_key: it works only within this server process, because this Chatwoot drops marks on messages."
        if drops_marks
        else "idempotency_key: a bot's token is shown the last message at most, so another process may repeat it."
    ]
    assert (await bench.call("add_private_note", content="A note.", **keyed))["outcome"] == "already_sent"
    reply = await bench.call("reply_to_conversation", conversation_id=7, content="A reply.")
    assert (reply["outcome"], reply["warnings"][0].split(",")[0]) == ("sent", "Not looked at")
    assert bench.messages(7)[-2:] == ["A note.", "A reply."]


async def test_where_a_bot_is_shown_nothing_no_key_makes_a_lost_write_safe_to_repeat(old: Sandbox) -> None:
    bench = bot(old)
    for path, tool, arguments in (
        ("/messages$", "add_private_note", {"conversation_id": 7, "content": "A note."}),
        ("/conversations$", "create_conversation", {"inbox_id": API, "contact_id": 1}),
    ):
        old.faults.add(Fault("cut_after", method="POST", path=path))
        failure = await bench.refused(tool, **arguments, idempotency_key="k")
        assert (failure.code, failure.retryable) == ("outcome_unknown", False)
        assert "idempotency_key" not in failure.text
    old.faults.add(Fault("cut_after", method="POST", path="/messages$"))
    handed = await bench.call("escalate_to_human", conversation_id=7, summary="Please.")
    assert (handed["complete"], statuses(handed)["note"]) == (False, "unknown")
    assert bench.messages(7).count("Please.") == 1
    assert bench.waits == []


async def test_a_bots_change_with_a_lost_answer_is_unknown_at_once(old: Sandbox) -> None:
    bench = bot(old)
    old.faults.add(Fault("cut_after", method="POST", path="/toggle_status$", times=2))
    failure = await bench.refused("update_conversation", conversation_id=7, status="open")
    assert (failure.code, failure.field) == ("outcome_unknown", "status")
    handed = await bench.call("escalate_to_human", conversation_id=7, summary="Please.", assignee=2)
    assert (statuses(handed)["status"], statuses(handed)["assignee"]) == ("unknown", "done")
    assert bench.waits == []


async def test_a_bot_hands_over_a_conversation_with_a_team_which_the_newest_chatwoot_fails_to_show() -> None:
    sandbox = Sandbox()
    sandbox.store.execute("UPDATE conversations SET team_id = 1 WHERE display_id = 7")
    result = await bot(sandbox).call("escalate_to_human", conversation_id=7, summary="Please.", labels=["vip"])
    assert result["complete"] is True
    assert statuses(result) == {"conversation": "already_done", "note": "done", "status": "done", "labels": "done"}
    sandbox.close()


async def test_where_settings_limit_inboxes_a_bot_needs_to_be_shown_the_conversation(old: Sandbox) -> None:
    bench = Bench(old, "sandbox-bot", Policy(default_account=1, allowed_inboxes=frozenset({API})))
    for tool, arguments in (
        ("update_conversation", {"status": "open"}),
        ("escalate_to_human", {"summary": "Please."}),
        ("add_private_note", {"content": "A note."}),
        ("reply_to_conversation", {"content": "A reply."}),
    ):
        failure = await bench.refused(tool, conversation_id=7, **arguments)
        assert (failure.code, failure.field) == ("bot_not_allowed", "conversation_id")
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_an_unknown_conversation_is_not_found_by_a_bots_write(old: Sandbox) -> None:
    failure = await bot(old).refused("update_conversation", conversation_id=999, status="open", assignee=2)
    assert (failure.code, failure.field) == ("not_found", "conversation_id")


async def test_a_bots_dry_run_shows_what_would_be_sent(old: Sandbox) -> None:
    bench = bot(old)
    shown = await bench.call("update_conversation", conversation_id=7, status="open", assignee=2, dry_run=True)
    assert [request["path"].rpartition("/")[2] for request in shown["requests"]] == ["toggle_status", "assignments"]
    note = await bench.call("add_private_note", conversation_id=7, content="A note.", dry_run=True)
    assert (note["outcome"], len(note["warnings"])) == ("dry_run", 1)
    assert {method for method, _ in bench.requests} == {"GET"}


# --- what is missing ------------------------------------------------------------------------------------------------


async def test_no_tool_fails_for_channels_and_keys_that_a_version_lacks(old: Sandbox) -> None:
    bench = person(old)
    workspace = await bench.call("get_workspace", include=["inboxes", "templates"])
    assert "warnings" not in workspace
    made = await bench.call(inbox_id=API, contact_id=1, assignee_id=2)
    number = made["conversation"]["id"]
    assert (made["outcome"], made["not_applied"]) == ("created", [])
    updated = await bench.call("update_conversation", conversation_id=number, team="support", add_labels=["vip"])
    assert updated["applied"] == ["team", "labels"]
    assert (await bench.call("get_conversation", conversation_id=number))["conversation"]["id"] == number
    handed = await bench.call("escalate_to_human", contact_id=1, inbox="Help Desk API", summary="Please.")
    assert handed["complete"] is True


# --- where no mark tells --------------------------------------------------------------------------------------------

WORDS: Final = "A colleague takes over."
HANDOVER: Final = {"conversation_id": 4, "summary": "Wants a person.", "message": WORDS}


@pytest.mark.parametrize("version", ["4.7", "4.15"])
async def test_old_words_of_the_tokens_owner_are_no_earlier_call_also_with_a_key(version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    by_hand = await Bench(sandbox, policy=Policy(stamp=False)).call(
        "reply_to_conversation", conversation_id=4, content=WORDS
    )
    sandbox.store.update("messages", by_hand["message"]["id"], created_at=time.time() - 90 * 86_400)
    result = await person(sandbox).call("escalate_to_human", **HANDOVER, idempotency_key="new")
    assert (statuses(result)["message"], result["complete"]) == ("done", True)
    assert person(sandbox).messages(4).count(WORDS) == 2
    sandbox.close()


async def test_words_of_today_that_may_be_an_earlier_calls_are_not_sent_again_and_not_called_done() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    await Bench(sandbox, policy=Policy(stamp=False)).call("reply_to_conversation", conversation_id=4, content=WORDS)
    result = await person(sandbox).call("escalate_to_human", **HANDOVER)
    assert (statuses(result)["message"], statuses(result)["note"], result["complete"]) == ("unknown", "done", False)
    assert person(sandbox).messages(4).count(WORDS) == 1
    sandbox.close()


async def test_a_rendered_message_is_not_sent_twice_by_the_same_handover() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    bench, call = person(sandbox), {**HANDOVER, "message": "Hi {{contact.name}}"}
    before = len(bench.messages(4))
    assert statuses(await bench.call("escalate_to_human", **call))["message"] == "done"
    after = len(bench.messages(4))
    assert statuses(await bench.call("escalate_to_human", **call))["message"] == "unknown"
    assert after > before
    assert len(bench.messages(4)) == after
    sandbox.close()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("reply_to_conversation", {"conversation_id": 4, "content": WORDS}),
        (
            "create_conversation",
            {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "message": {"content": WORDS}},
        ),
    ],
)
async def test_no_key_is_called_safe_where_marks_may_be_dropped(tool: str, arguments: dict[str, Any]) -> None:
    sandbox = Sandbox(chatwoot="4.7")
    path = "/messages$" if tool == "reply_to_conversation" else "/conversations$"
    sandbox.faults.add(Fault("cut_after", method="POST", path=path))
    failure = await person(sandbox).refused(tool, **arguments, idempotency_key="k")
    assert (failure.code, "is safe" in failure.text) == ("outcome_unknown", False)
    sandbox.close()
