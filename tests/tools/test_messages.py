"""Whose message it is, when the answer to ours was lost and a colleague wrote the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench, Interrupted

HELLO: Final[dict[str, Any]] = {"conversation_id": 4, "content": "Hello"}
MESSAGE: Final[dict[str, Any]] = {"method": "POST", "path": "/messages$"}
UNSTAMPED: Final = Policy(stamp=False)
both = pytest.mark.parametrize("tool", ["reply_to_conversation", "add_private_note"])
either = pytest.mark.parametrize("policy", [Policy(), UNSTAMPED], ids=["stamps on", "stamps off"])


def colleague(sandbox: Sandbox) -> Bench:
    """Bob, who writes from the dashboard: nothing that he writes is stamped."""
    return Bench(sandbox, "sandbox-agent", policy=UNSTAMPED)


@both
@either
async def test_a_colleagues_message_of_the_same_words_just_before_is_not_ours(
    sandbox: Sandbox, tool: str, policy: Policy
) -> None:
    await colleague(sandbox).call(tool, **HELLO)
    sandbox.faults.add(Fault("cut_before", **MESSAGE))
    failure = await Bench(sandbox, policy=policy).refused(tool, **HELLO)
    assert (failure.code, failure.retryable) == ("chatwoot_error", True)


@both
@either
async def test_nor_is_one_written_while_ours_is_looked_for(sandbox: Sandbox, tool: str, policy: Policy) -> None:
    sandbox.faults.add(Fault("cut_before", **MESSAGE))
    bench = Interrupted(sandbox, policy=policy, meanwhile=lambda: colleague(sandbox).call(tool, **HELLO))
    assert (await bench.refused(tool, **HELLO)).code == "chatwoot_error"
    assert bench.messages(4).count("Hello") == 1


@both
async def test_without_stamps_ours_is_what_the_tokens_owner_wrote_since(sandbox: Sandbox, tool: str) -> None:
    bench = Bench(sandbox, policy=UNSTAMPED)
    first = await bench.call(tool, **HELLO)
    sandbox.faults.add(Fault("cut_before", **MESSAGE))
    assert (await bench.refused(tool, **HELLO)).code == "chatwoot_error"
    sandbox.faults.add(Fault("cut_after", **MESSAGE))
    found = await bench.call(tool, **HELLO)
    assert (found["outcome"], found["message"]["id"] > first["message"]["id"]) == ("recovered", True)


@both
async def test_without_stamps_a_text_that_chatwoot_changed_is_not_said_to_be_missing(
    sandbox: Sandbox, tool: str
) -> None:
    sandbox.faults.add(Fault("status_after", status=500, **MESSAGE))
    liquid = {**HELLO, "content": "Hello {{contact.name}}"}
    assert (await Bench(sandbox, policy=UNSTAMPED).refused(tool, **liquid)).code == "outcome_unknown"


@either
async def test_a_bot_finds_its_own_last_message_and_that_there_is_none(sandbox: Sandbox, policy: Policy) -> None:
    bot = Bench(sandbox, "sandbox-bot", replace(policy, default_account=1))
    sandbox.faults.add(Fault("cut_after", **MESSAGE))
    assert (await bot.call("reply_to_conversation", **HELLO))["outcome"] == "recovered"
    sandbox.faults.add(Fault("cut_before", **MESSAGE))
    assert (await bot.refused("reply_to_conversation", **HELLO)).code == "chatwoot_error"


@either
async def test_a_bot_does_not_say_that_what_it_cannot_see_was_not_sent(sandbox: Sandbox, policy: Policy) -> None:
    """Of a conversation it sees the last message alone: its own may stand before that, and no key finds it there."""
    bot = Interrupted(sandbox, "sandbox-bot", replace(policy, default_account=1))
    bot.meanwhile = lambda: colleague(sandbox).call("reply_to_conversation", **HELLO)
    show: dict[str, Any] = {"method": "GET", "path": "/conversations/4$"}
    before_sending = 2 if policy.stamp else 1  # the call's own look, and the one for the key
    first_look_fails = (Fault("latency", times=before_sending, **show), Fault("html", **show))
    for fault in (Fault("cut_after", **MESSAGE), *first_look_fails):
        sandbox.faults.add(fault)
    failure = await bot.refused("reply_to_conversation", **HELLO, idempotency_key="k")
    assert (failure.code, "idempotency_key" in failure.text) == ("outcome_unknown", False)
    assert bot.messages(4)[-2:] == ["Hello", "Hello"]


@either
async def test_what_was_sent_is_sent_even_where_the_look_for_rivals_fails(sandbox: Sandbox, policy: Policy) -> None:
    bench = Bench(sandbox, policy=Policy(default_account=1, stamp=policy.stamp))
    sandbox.faults.add(Fault("status", status=503, times=None, path="/profile$"))
    result = await bench.call("reply_to_conversation", **HELLO, idempotency_key="k")
    assert (result["outcome"], len(result["warnings"])) == ("sent", 1)


async def test_without_stamps_a_key_is_looked_for_in_no_page(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=UNSTAMPED)
    for number in range(30):
        await bench.call("reply_to_conversation", conversation_id=4, content=f"Message {number}")
    sandbox.requests.clear()
    await bench.call("reply_to_conversation", **HELLO, idempotency_key="k")
    assert bench.requests == [
        ("GET", "/api/v1/accounts/1/conversations/4"),
        ("POST", "/api/v1/accounts/1/conversations/4/messages"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


async def test_a_bots_key_is_warned_about_in_plain_words(sandbox: Sandbox) -> None:
    bot = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bot.call("reply_to_conversation", **HELLO, idempotency_key="k")
    text = "idempotency_key: a bot's token is shown the last message at most, so another process may repeat it."
    assert result["warnings"] == [text]


async def test_another_file_of_the_same_name_and_size_is_another_message(sandbox: Sandbox, folder: Path) -> None:
    keyed: dict[str, Any] = {"conversation_id": 4, "attachments": "invoice.pdf", "idempotency_key": "k"}
    outcomes: list[str] = []
    for content in ("100 EUR", "100 EUR", "900 EUR"):
        (folder / "invoice.pdf").write_text(content, encoding="utf-8")
        bench = Bench(sandbox, policy=Policy(attachments_dir=folder))
        if content == "100 EUR":
            outcomes.append((await bench.call("reply_to_conversation", **keyed))["outcome"])
        else:
            outcomes.append((await bench.refused("reply_to_conversation", **keyed)).code)
    assert outcomes == ["sent", "already_sent", "idempotency_conflict"]
