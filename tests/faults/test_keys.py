"""One effect for one key, in one process, across processes and after a restart; and a race that is told."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault as SandboxFault
from chatwoot_sandbox import Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.call.ledger import ledger_key
from faults.proxy import Fault, Seen, first, proxy
from support import PATIENCE_S, Bench

KEYED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "create_conversation": ({"inbox_id": 2, "contact_id": 1}, "conversations"),
    "reply_to_conversation": ({"conversation_id": 4, "content": "Hello"}, "messages"),
    "add_private_note": ({"conversation_id": 4, "content": "Look"}, "messages"),
    "save_contact": ({"email": "new@customers.test", "name": "New"}, "contacts"),
    "escalate_to_human": (
        {"email": "new@customers.test", "inbox": "2", "summary": "Angry", "priority": "high"},
        "conversations",
    ),
}
SAVED_BEFORE: Final = {
    "create_conversation": "already_created",
    "reply_to_conversation": "already_sent",
    "add_private_note": "already_sent",
    "save_contact": "unchanged",
}
keyed = pytest.mark.parametrize("tool", KEYED)


def count(sandbox: Sandbox, tool: str) -> int:
    table = KEYED[tool][1]
    activity = " WHERE message_type <> 2" if table == "messages" else ""
    return len(sandbox.store.rows(f"SELECT id FROM {table}{activity}"))  # noqa: S608 - of this file


def notes(sandbox: Sandbox, content: str) -> int:
    return len(sandbox.store.rows("SELECT id FROM messages WHERE content = ?", content))


@keyed
async def test_twenty_equal_keys_at_once_have_one_effect(sandbox: Sandbox, tool: str) -> None:
    arguments, _ = KEYED[tool]
    before = count(sandbox, tool)
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        results = await asyncio.gather(*(bench.call(tool, **arguments, idempotency_key="k") for _ in range(20)))
        await bench.aclose()
    assert count(sandbox, tool) == before + 1
    if tool == "escalate_to_human":
        assert all(result["complete"] for result in results)
        assert notes(sandbox, "Angry") == 1
    else:
        assert sum(result["outcome"] == SAVED_BEFORE[tool] for result in results) == 19


@keyed
async def test_the_same_key_after_a_restart_gives_the_first_result_again(sandbox: Sandbox, tool: str) -> None:
    arguments, _ = KEYED[tool]
    first_result = await Bench(sandbox).call(tool, **arguments, idempotency_key="k")
    after_first = count(sandbox, tool)
    again = await Bench(sandbox).call(tool, **arguments, idempotency_key="k")
    assert count(sandbox, tool) == after_first
    if tool == "escalate_to_human":
        assert {step["status"] for step in again["steps"]} == {"already_done"}
        assert again["conversation"]["id"] == first_result["conversation"]["id"]
        return
    assert again["outcome"] == SAVED_BEFORE[tool]
    made = "contact" if tool == "save_contact" else "conversation" if tool == "create_conversation" else "message"
    assert again[made]["id"] == first_result[made]["id"]


@pytest.mark.parametrize("tool", ["reply_to_conversation", "add_private_note"])
@pytest.mark.parametrize("same_process", [True, False])
async def test_a_key_is_found_beyond_the_newest_twenty_messages(
    sandbox: Sandbox, tool: str, same_process: bool
) -> None:
    bench = Bench(sandbox)
    sent = await bench.call(tool, conversation_id=4, content="Hello", idempotency_key="k")
    for number in range(45):
        await bench.call("add_private_note", conversation_id=4, content=f"later {number}")
    other = bench if same_process else Bench(sandbox)
    again = await other.call(tool, conversation_id=4, content="Hello", idempotency_key="k")
    assert (again["outcome"], again["message"]["id"]) == ("already_sent", sent["message"]["id"])
    assert notes(sandbox, "Hello") == 1


async def test_a_new_key_of_a_message_does_not_read_a_conversation_back_to_its_beginning(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    for number in range(45):
        await bench.call("add_private_note", conversation_id=4, content=f"before {number}")
    sandbox.store.execute("UPDATE messages SET created_at = created_at - 90000")
    sandbox.requests.clear()
    await bench.call("add_private_note", conversation_id=4, content="Hello", idempotency_key="k")
    assert [method for method, _ in bench.requests] == ["GET", "POST", "GET"]


async def test_a_message_that_a_bot_cannot_see_any_more_is_not_sent_again(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, token="sandbox-bot", policy=Policy(default_account=1))
    arguments = {"conversation_id": 4, "content": "Hello", "idempotency_key": "k"}
    sent = await bench.call("reply_to_conversation", **arguments)
    assert any("bot" in warning for warning in sent["warnings"])
    await Bench(sandbox).call("reply_to_conversation", conversation_id=4, content="later")
    again = await bench.call("reply_to_conversation", **arguments)
    assert (again["outcome"], again.get("message")) == ("already_sent", None)
    assert "cannot be shown" in again["warnings"][-1]
    assert notes(sandbox, "Hello") == 1


async def test_an_equal_call_that_takes_too_long_is_not_waited_for_beyond_the_deadline(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(deadline_s=0.3))
    async with bench.desk.ledger.holding(ledger_key("conversation", 1, "k"), bench.desk.open_call().budget):
        failure = await bench.refused(inbox_id=2, contact_id=1, idempotency_key="k")
    assert (failure.code, failure.retryable, bench.writes) == ("deadline_exceeded", True, [])


async def test_a_key_is_not_free_while_a_call_waits_for_it(sandbox: Sandbox) -> None:
    """The first of three fails: the second goes on, and a fourth that comes then must wait for it."""
    bench = Bench(sandbox)
    arguments = {"inbox_id": 2, "contact_id": 1, "idempotency_key": "k"}
    sandbox.faults.add(SandboxFault("status", status=422, method="POST", path="/conversations$"))
    calls = [asyncio.create_task(bench.call(**arguments)) for _ in range(3)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
    late = asyncio.create_task(bench.call(**arguments))
    results = await asyncio.gather(*calls, late, return_exceptions=True)
    assert done
    assert sum(isinstance(result, dict) for result in results) == 3
    assert len([record for record in bench.writes if record.status == 200]) == 1


@keyed
async def test_two_processes_at_once_have_one_effect_or_say_that_they_raced(sandbox: Sandbox, tool: str) -> None:
    """Both look before either writes: the worst that can happen between two that share nothing but Chatwoot."""
    arguments, _ = KEYED[tool]
    path = {"create_conversation": "/conversations$", "save_contact": "/contacts$", "escalate_to_human": "/contacts$"}
    before = count(sandbox, tool)
    both_wrote = asyncio.Barrier(2)

    async with proxy(sandbox) as there:
        forward = there.forward

        async def together(seen: Seen) -> Any:
            if seen.meets("POST", path.get(tool, "/messages$")):
                async with asyncio.timeout(PATIENCE_S):
                    await both_wrote.wait()
            return await forward(seen)

        there.forward = together  # type: ignore[method-assign]
        benches = [Bench(sandbox, base_url=there.base_url) for _ in range(2)]
        calls = [bench.call(tool, **arguments, idempotency_key="k") for bench in benches]
        results = await asyncio.gather(*calls)
        for bench in benches:
            await bench.aclose()
    if count(sandbox, tool) == before + 1:
        return
    assert tool != "save_contact"
    assert count(sandbox, tool) == before + 2
    told = [warning for result in results for warning in result.get("warnings", []) if "at the same moment" in warning]
    assert told
    if tool == "create_conversation":
        assert len({result["conversation"]["id"] for result in results}) == 1
        assert sorted(result["outcome"] for result in results) == ["already_created", "created"]


@pytest.mark.parametrize("tool", ["create_conversation", "reply_to_conversation"])
async def test_a_race_that_cannot_be_looked_for_is_told(sandbox: Sandbox, tool: str) -> None:
    arguments, _ = KEYED[tool]
    looks = 0

    def rule(seen: Seen) -> Fault | None:
        nonlocal looks
        look = seen.meets("GET", r"/contacts/1/conversations$|/messages$")
        looks += look
        return Fault("answer", status=503) if look and looks > 1 else None

    async with proxy(sandbox, rule) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        result = await bench.call(tool, **arguments, idempotency_key="k")
        await bench.aclose()
    assert "could not be looked up" in result["warnings"][-1]


@keyed
async def test_a_lost_answer_and_looks_that_fail_leave_the_outcome_unknown_and_one_effect(
    sandbox: Sandbox, tool: str
) -> None:
    arguments, _ = KEYED[tool]
    before = count(sandbox, tool)
    lost = False

    def rule(seen: Seen) -> Fault | None:
        nonlocal lost
        if lost:
            return Fault("answer", status=503)
        lost = seen.method == "POST" and "/filter" not in seen.path
        return Fault("reset", after=True) if lost else None

    async with proxy(sandbox, rule) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        failure = await bench.refused(tool, **arguments, idempotency_key="k")
        await bench.aclose()
        assert failure.code == "outcome_unknown"
        assert failure.retryable is False
        assert any(word in failure.text for word in ("first look at", "first read", "Look with"))
        there.rule = lambda _: None
        later = Bench(sandbox, base_url=there.base_url)
        result = await later.call(tool, **arguments, idempotency_key="k")
        await later.aclose()
    assert count(sandbox, tool) == before + 1
    assert result.get("complete", True)


@keyed
async def test_a_reset_after_the_commit_is_recovered(sandbox: Sandbox, tool: str) -> None:
    arguments, _ = KEYED[tool]
    before = count(sandbox, tool)
    path = r"/conversations$|/messages$|/contacts$" if tool != "escalate_to_human" else r"/conversations$"
    async with proxy(sandbox, first(Fault("reset", after=True), "POST", path)) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        result = await bench.call(tool, **arguments)
        await bench.aclose()
    assert count(sandbox, tool) == before + 1
    if tool == "escalate_to_human":
        assert result["complete"]
        assert "recovered" in next(step["detail"] for step in result["steps"] if step["step"] == "conversation")
    else:
        assert result["outcome"] == "recovered"
