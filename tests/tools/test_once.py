"""One conversation for one call, whatever becomes of the answer; and one for all calls with the same key."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.call.ledger import ledger_key
from chatwoot_tools.digest import STAMP_KEY
from chatwoot_tools.writing.stamp import Stamp
from support import Bench
from virtual import in_virtual_time

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}
LOCKED: dict[str, Any] = {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "message": {"content": "Hello VIP"}}
CREATE: dict[str, Any] = {"method": "POST", "path": "/conversations$"}
LOOK: dict[str, Any] = {"method": "GET", "path": "/contacts/1/conversations$"}


# --- the answer of the create is lost -------------------------------------------------------------------------------

DONE_BUT_UNSEEN = [
    Fault("status_after", status=500, **CREATE),
    Fault("status_after", status=502, **CREATE),
    Fault("status_after", status=503, **CREATE),
    Fault("status_after", status=504, **CREATE),
    Fault("cut_after", **CREATE),
    Fault("oversized", **CREATE),
    Fault("broken", **CREATE),
]


def named(fault: Fault) -> str:
    return f"{fault.kind}-{fault.status}"


@pytest.mark.parametrize("fault", DONE_BUT_UNSEEN, ids=named)
async def test_what_was_created_behind_a_lost_answer_is_found(bench: Bench, fault: Fault) -> None:
    await bench.call(**PAIR)
    before = bench.conversations()
    bench.sandbox.faults.add(fault)
    result = await bench.call(**PAIR, message={"content": "Hello"})
    assert (result["outcome"], result["conversation"]["id"]) == ("recovered", 43)
    assert result["message"]["content"] == "Hello"
    assert result["not_applied"] == []
    assert bench.conversations() == before + 1
    assert len(bench.writes) == 2


NOT_DONE = [
    Fault("status", status=500, **CREATE),
    Fault("status", status=502, **CREATE),
    Fault("status", status=503, **CREATE),
    Fault("cut_before", **CREATE),
    Fault("html", **CREATE),
]


@pytest.mark.parametrize("fault", NOT_DONE, ids=named)
async def test_what_a_look_shows_not_to_exist_may_be_tried_again(bench: Bench, fault: Fault) -> None:
    before = bench.conversations()
    bench.sandbox.faults.add(fault)
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable) == ("chatwoot_error", True)
    assert "nothing was created" in failure.text
    assert len(bench.writes) == 1
    assert bench.conversations() == before


async def test_after_a_lost_connection_the_look_is_repeated_two_seconds_later(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("cut_before", **CREATE))
    await bench.refused(**PAIR)
    assert bench.waits == [2.0]
    assert bench.requests.count(("GET", "/api/v1/accounts/1/contacts/1/conversations")) == 2


async def test_after_a_gateway_timeout_nobody_can_tell(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=504, **CREATE))
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable, failure.http_status) == ("outcome_unknown", False, 504)
    assert "contact 1 in account 1" in failure.text
    assert "idempotency_key" not in failure.text


async def test_a_key_makes_trying_again_safe_and_the_error_says_so(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=504, **CREATE))
    failure = await bench.refused(**PAIR, idempotency_key="k")
    assert "same idempotency_key" in failure.text


@in_virtual_time
async def test_a_read_timeout_leaves_the_outcome_unknown(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    await bench.call(**PAIR)
    sandbox.faults.add(Fault("latency", delay_s=30, **CREATE))
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable) == ("outcome_unknown", False)


async def test_a_look_that_fails_leaves_the_outcome_unknown(bench: Bench) -> None:
    before = bench.conversations()
    bench.sandbox.faults.add(Fault("cut_after", **CREATE))
    bench.sandbox.faults.add(Fault("status", status=503, times=None, **LOOK))
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable) == ("outcome_unknown", False)
    assert len(bench.writes) == 1
    assert bench.conversations() == before + 1


async def test_without_stamps_a_lost_answer_stays_unknown(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    sandbox.faults.add(Fault("cut_after", **CREATE))
    assert (await bench.refused(**PAIR)).code == "outcome_unknown"


async def test_a_locked_inbox_is_searched_for_the_message(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("cut_after", **CREATE))
    result = await bench.call(**LOCKED)
    assert (result["outcome"], result["conversation"]["id"]) == ("recovered", 2)
    assert bench.messages(2).count("Hello VIP") == 1


async def test_in_a_locked_inbox_an_old_message_of_the_same_words_is_not_taken_for_ours(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE messages SET content = 'Hello VIP' WHERE conversation_id = 2 AND private = 0")
    bench.sandbox.faults.add(Fault("status", status=500, **CREATE))
    assert (await bench.refused(**LOCKED)).code == "chatwoot_error"


async def test_an_answer_about_another_conversation_is_no_answer(bench: Bench) -> None:
    """A proxy that mixes answers up must not make us report somebody else's conversation."""
    await bench.call(**PAIR)
    bench.sandbox.store.execute("UPDATE conversations SET inbox_id = 3 WHERE display_id = 42")
    bench.sandbox.faults.add(Fault("cut_before", **CREATE))
    assert (await bench.refused(**PAIR)).code == "chatwoot_error"


# --- what never reached the application is sent again ----------------------------------------------------------------


async def test_a_throttled_create_waits_as_told_and_is_sent_again(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=429, retry_after="7", **CREATE))
    assert (await bench.call(**PAIR))["outcome"] == "created"
    assert bench.waits == [7.0]
    assert [record.status for record in bench.writes] == [429, 200]


async def test_a_throttle_beyond_the_deadline_says_how_long(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=429, retry_after="300", **CREATE))
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable, failure.retry_after_s) == ("rate_limited", True, 300.0)
    assert failure.text == (
        "No more requests can be sent to Chatwoot for now. Try again in 300 seconds. Nothing was written."
    )


async def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("redirect", location="https://evil.test/steal?x=1", **CREATE))
    failure = await bench.refused(**PAIR)
    assert (failure.code, failure.retryable, failure.http_status) == ("redirected", False, 302)
    assert "evil.test" in failure.text
    assert "steal" not in failure.text
    assert len(bench.writes) == 1


# --- idempotency keys -----------------------------------------------------------------------------------------------


async def test_the_same_key_again_shows_the_first_conversation_as_it_is_now(bench: Bench) -> None:
    first = await bench.call(**PAIR, idempotency_key="k")
    await bench.call("update_conversation", conversation_id=first["conversation"]["id"], status="resolved")
    second = await bench.call(**PAIR, idempotency_key="k")
    assert second["outcome"] == "already_created"
    assert second["conversation"] == {**first["conversation"], "status": "resolved"}
    assert len(bench.writes) == 1


async def test_twenty_equal_keys_at_once_make_one_conversation(bench: Bench) -> None:
    calls = [bench.call(**PAIR, idempotency_key="k") for _ in range(20)]
    results = await asyncio.gather(*calls)
    assert {result["conversation"]["id"] for result in results} == {42}
    assert sorted(result["outcome"] for result in results) == ["already_created"] * 19 + ["created"]
    assert len(bench.writes) == 1


async def test_another_process_finds_the_first_ones_conversation(sandbox: Sandbox) -> None:
    await Bench(sandbox).call(**PAIR, idempotency_key="k")
    other = Bench(sandbox)
    result = await other.call(**PAIR, idempotency_key="k")
    assert (result["outcome"], result["conversation"]["id"]) == ("already_created", 42)
    assert len(other.writes) == 1


async def test_another_process_finds_it_beyond_the_contacts_newest_twenty(sandbox: Sandbox) -> None:
    first = Bench(sandbox)
    await first.call(**PAIR, idempotency_key="k")
    for _ in range(30):
        await first.call(**PAIR)
    result = await Bench(sandbox).call(**PAIR, idempotency_key="k")
    assert (result["outcome"], result["conversation"]["id"]) == ("already_created", 42)


async def test_the_form_of_an_argument_does_not_make_it_another_one(bench: Bench) -> None:
    await bench.call(inbox_id=2, contact_id=1, custom_attributes={"order_id": "1"}, idempotency_key="k")
    again = {"inbox_id": "2", "contact_id": "1.0", "custom_attributes": '{"order_id": "1"}', "idempotency_key": "k"}
    assert (await bench.call(**again))["outcome"] == "already_created"


@pytest.mark.parametrize("same_process", [True, False])
async def test_the_same_key_with_other_arguments_is_a_conflict(sandbox: Sandbox, same_process: bool) -> None:
    bench = Bench(sandbox)
    await bench.call(**PAIR, idempotency_key="k")
    failure = await (bench if same_process else Bench(sandbox)).refused(**PAIR, status="open", idempotency_key="k")
    assert (failure.code, failure.field, failure.retryable) == ("idempotency_conflict", "idempotency_key", False)
    assert len(bench.writes) == 1


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize(
    ("tool", "arguments", "likewise"),
    [
        ("save_contact", {"email": "jane@customers.test"}, "contact:x"),
        ("add_private_note", {"conversation_id": 2, "content": "Hello VIP"}, "message:2:x"),
    ],
)
async def test_a_key_that_reads_as_one_of_another_tool_is_free(
    sandbox: Sandbox, tool: str, arguments: dict[str, Any], likewise: str, same_process: bool
) -> None:
    bench = Bench(sandbox)
    await bench.call(tool, **arguments, idempotency_key="x")
    other = bench if same_process else Bench(sandbox)
    assert (await other.call(**LOCKED, idempotency_key=likewise))["outcome"] == "reused"


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_key_that_reads_as_a_step_of_a_handover_is_free(sandbox: Sandbox, same_process: bool) -> None:
    bench = Bench(sandbox)
    await bench.call("escalate_to_human", conversation_id=4, summary="Angry", idempotency_key="x")
    other = bench if same_process else Bench(sandbox)
    note = {"conversation_id": 4, "content": "Calm", "idempotency_key": "x:note"}
    assert (await other.call("add_private_note", **note))["outcome"] == "sent"


async def test_other_keys_and_no_key_open_their_own(bench: Bench) -> None:
    results = [await bench.call(**PAIR, **more) for more in ({"idempotency_key": "a"}, {"idempotency_key": "b"}, {})]
    assert [(each["outcome"], each["conversation"]["id"]) for each in results] == [
        ("created", 42),
        ("created", 43),
        ("created", 44),
    ]


async def test_a_key_whose_call_failed_is_free(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=500, **CREATE))
    await bench.refused(**PAIR, idempotency_key="k")
    assert (await bench.call(**PAIR, idempotency_key="k"))["outcome"] == "created"


async def test_a_key_that_cannot_be_looked_up_sends_nothing(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=503, times=3, **LOOK))
    failure = await bench.refused(**PAIR, idempotency_key="k")
    assert (failure.code, failure.retryable) == ("chatwoot_error", True)
    assert bench.writes == []


async def test_a_key_whose_outcome_stayed_unknown_is_found_by_the_next_call(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    await bench.call(**PAIR)
    sandbox.faults.add(Fault("cut_after", **CREATE))
    # One look before the create, then both of those after it.
    sandbox.faults.add(Fault("latency", delay_s=0, **LOOK))
    sandbox.faults.add(Fault("status", status=503, times=None, **LOOK))
    assert (await bench.refused(**PAIR, idempotency_key="k")).code == "outcome_unknown"
    sandbox.faults.clear()
    assert (await bench.call(**PAIR, idempotency_key="k"))["outcome"] == "already_created"
    assert len(bench.writes) == 2


async def test_a_dry_run_leaves_the_key_free_and_sees_when_it_is_not(bench: Bench) -> None:
    assert (await bench.call(**PAIR, idempotency_key="k", dry_run=True))["outcome"] == "dry_run"
    assert (await bench.call(**PAIR, idempotency_key="k"))["outcome"] == "created"
    assert (await bench.call(**PAIR, idempotency_key="k", dry_run=True))["outcome"] == "already_created"


async def test_a_locked_inbox_gets_a_keyed_message_once_from_two_processes(sandbox: Sandbox) -> None:
    first = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert first["outcome"] == "reused"
    other = Bench(sandbox)
    assert (await other.call(**LOCKED, idempotency_key="k"))["outcome"] == "already_created"
    assert other.messages(2).count("Hello VIP") == 1


@pytest.mark.parametrize(
    "stamp",
    [
        Stamp.of(ledger_key("conversation", 1, "k"), {}, "another caller"),
        Stamp.of(ledger_key("conversation", 2, "k"), {}),
        Stamp.of(None, {}),
    ],
    ids=["caller", "account", "installation"],
)
async def test_somebody_elses_stamp_on_a_locked_conversation_is_no_conflict(sandbox: Sandbox, stamp: Stamp) -> None:
    """The conversation is theirs, the message in it ours."""
    sandbox.store.execute(
        "UPDATE conversations SET additional_attributes = ? WHERE display_id = 2 AND account_id = 1",
        json.dumps({STAMP_KEY: str(stamp)}),
    )
    first = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    again = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert (first["outcome"], again["outcome"]) == ("reused", "already_created")
    assert Bench(sandbox).messages(2).count("Hello VIP") == 1
    failure = await Bench(sandbox).refused(**{**LOCKED, "message": {"content": "Other"}}, idempotency_key="k")
    assert failure.code == "idempotency_conflict"


async def test_a_bot_is_told_that_earlier_processes_cannot_be_looked_up(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, token="sandbox-bot", policy=Policy(default_account=1))
    first = await bench.call(**PAIR, idempotency_key="k")
    assert first["outcome"] == "created"
    assert any("idempotency_key" in warning for warning in first["warnings"])


async def test_without_stamps_a_key_holds_within_the_process_alone(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    first = await bench.call(**PAIR, idempotency_key="k")
    assert (first["outcome"], len(first["warnings"])) == ("created", 1)
    assert "CHATWOOT_MCP_STAMP" in first["warnings"][0]
    assert (await bench.call(**PAIR, idempotency_key="k"))["outcome"] == "already_created"


async def test_without_stamps_a_key_is_looked_for_in_no_older_page(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    for _ in range(21):
        await bench.call(**PAIR)
    sandbox.requests.clear()
    await bench.call(**PAIR, idempotency_key="k")
    assert bench.requests == [
        ("GET", "/api/v1/accounts/1/contacts/1/conversations"),
        ("POST", "/api/v1/accounts/1/conversations"),
    ]


async def test_a_look_that_fails_is_made_again(bench: Bench) -> None:
    for fault in (Fault("cut_after", **CREATE), Fault("html", **LOOK)):
        bench.sandbox.faults.add(fault)
    assert (await bench.call(**PAIR))["outcome"] == "recovered"
    for fault in (Fault("cut_before", **CREATE), Fault("html", **LOOK)):
        bench.sandbox.faults.add(fault)
    assert (await bench.refused(**PAIR)).code == "chatwoot_error"
