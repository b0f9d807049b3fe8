"""Which message is shown as the one that was asked for, where others have written, changed or deleted since."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench, Interrupted

PAIR: Final[dict[str, Any]] = {"inbox_id": 2, "contact_id": 1, "message": {"content": "Hello"}}
LOCKED: Final[dict[str, Any]] = {
    "inbox_id": 16,
    "contact_id": 1,
    "source_id": "jane-vip",
    "message": {"content": "Hello"},
}
KEYED: Final[dict[str, Any]] = {**PAIR, "idempotency_key": "k"}
CREATE: Final[dict[str, Any]] = {"method": "POST", "path": "/conversations$"}
UNSTAMPED: Final = Policy(stamp=False)
NOT_TOLD: Final = "The first message could not be told from others, so none is shown: look before sending it again."
SINCE: Final = "It reads so now: Chatwoot changed it, usually as it renders Liquid, or somebody has changed it since."
versions = pytest.mark.parametrize("chatwoot", ["4.7", "4.15"])
tools = pytest.mark.parametrize("tool", ["reply_to_conversation", "add_private_note"])


async def colleague(
    sandbox: Sandbox, conversation_id: int, content: str = "I take over", token: str = "sandbox-agent"
) -> None:
    """Somebody writes by hand: no mark is on it."""
    await Bench(sandbox, token, UNSTAMPED).call(
        "reply_to_conversation", conversation_id=conversation_id, content=content
    )


@versions
@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("token", ["sandbox-agent", "sandbox-admin"], ids=["a colleague", "the token's owner by hand"])
async def test_a_later_reply_is_not_shown_as_the_first_message(chatwoot: str, same_process: bool, token: str) -> None:
    sandbox = Sandbox(chatwoot=chatwoot)
    bench = Bench(sandbox)
    first = await bench.call(**KEYED)
    await colleague(sandbox, first["conversation"]["id"], token=token)
    again = await (bench if same_process else Bench(sandbox)).call(**KEYED)
    assert (again["outcome"], again["message"], again["not_applied"]) == ("already_created", first["message"], [])
    sandbox.close()


@versions
async def test_nor_as_one_that_was_found_after_a_lost_answer(chatwoot: str) -> None:
    sandbox = Sandbox(chatwoot=chatwoot)
    sandbox.faults.add(Fault("cut_after", **CREATE))
    sandbox.faults.add(Fault("status", method="GET", path="/contacts/1/conversations$", status=500, times=2))
    bench = Interrupted(sandbox, meanwhile=lambda: colleague(sandbox, 42))
    result = await bench.call(**PAIR)
    assert bench.messages(42) == ["Hello", "I take over"]
    assert (result["outcome"], result["message"]["content"], result["not_applied"]) == ("recovered", "Hello", [])
    sandbox.close()


async def test_where_it_cannot_be_told_none_is_shown_and_that_is_said(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=UNSTAMPED)
    first = await bench.call(**KEYED)
    assert first["message"]["content"] == "Hello"
    await colleague(sandbox, first["conversation"]["id"])
    again = await bench.call(**KEYED)
    assert (again["outcome"], again["not_applied"], "message" in again) == ("already_created", [], False)
    assert NOT_TOLD in again["warnings"]


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_what_somebody_changed_since_is_not_laid_to_chatwoot(bench: Bench, change: str) -> None:
    first = await bench.call(**KEYED)
    tell = spoil(bench.sandbox, first["message"]["id"], change)
    again = await bench.call(**KEYED)
    assert [(each["field"], each["actual"], each["reason"]) for each in again["not_applied"]] == [
        ("message.content", tell[0], tell[1])
    ]


@tools
@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_nor_is_a_reply_or_a_note(bench: Bench, tool: str, change: str) -> None:
    keyed: dict[str, Any] = {"conversation_id": 4, "content": "Hello", "idempotency_key": "k"}
    first = await bench.call(tool, **keyed)
    shown, reason = spoil(bench.sandbox, first["message"]["id"], change)
    again = await bench.call(tool, **keyed)
    assert (again["outcome"], again["message"]["content"]) == ("already_sent", shown)
    assert again["warnings"][-1] == f"Not as asked: {reason}"


def spoil(sandbox: Sandbox, message_id: int, change: str) -> tuple[str, str]:
    """What a colleague may do with a message; a deletion leaves nothing else (4.15.1). What it reads then, and why."""
    if change == "edited":
        sandbox.store.execute("UPDATE messages SET content = 'Hello Jane' WHERE id = ?", message_id)
        return "Hello Jane", SINCE
    query = "UPDATE messages SET content = 'This message was deleted', content_attributes = ? WHERE id = ?"
    sandbox.store.execute(query, '{"deleted": true}', message_id)
    return "This message was deleted", "It was deleted since."


async def test_a_bot_that_is_not_shown_what_its_key_made_is_told_that_it_is_there() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    bot = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    first = await bot.call(**KEYED)
    again = await bot.call(**KEYED)
    number = first["conversation"]["id"]
    text = f"An earlier call with this idempotency_key gave conversation {number}, which this token is not shown."
    assert (again["outcome"], "conversation" in again, again["warnings"][-1]) == ("already_created", False, text)
    assert len(bot.writes) == 1
    sandbox.close()


async def test_a_bot_is_told_so_too_where_chatwoot_fails_on_a_team(sandbox: Sandbox) -> None:
    bot = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    first = await bot.call(**KEYED)
    await Bench(sandbox).call("update_conversation", conversation_id=first["conversation"]["id"], team="support")
    again = await bot.call(**KEYED)
    assert (again["outcome"], "which this token is not shown" in again["warnings"][-1]) == ("already_created", True)


async def test_a_key_whose_conversation_was_deleted_says_so(bench: Bench) -> None:
    first = await bench.call(**KEYED)
    bench.sandbox.store.execute("DELETE FROM conversations WHERE display_id = ?", first["conversation"]["id"])
    again = await bench.call(**KEYED)
    assert (again["outcome"], "which no longer exists" in again["warnings"][-1]) == ("already_created", True)


async def test_without_stamps_a_locked_inbox_opens_one_conversation_and_reuses_it(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=UNSTAMPED)
    sandbox.store.execute("DELETE FROM conversations WHERE inbox_id = 16")
    results = [await bench.call(**LOCKED) for _ in range(3)]
    assert len({each["conversation"]["id"] for each in results}) == 1
    assert [each["outcome"] for each in results] == ["created", "reused", "reused"]


async def test_a_bot_without_stamps_is_told_that_a_conversation_may_not_be_new(sandbox: Sandbox) -> None:
    bot = Bench(sandbox, "sandbox-bot", Policy(default_account=1, stamp=False))
    result = await bot.call(**PAIR)
    assert (result["outcome"], result["warnings"][-1][:32]) == ("created", "Whether it is new is not known: ")


async def test_in_a_locked_inbox_a_key_is_found_beyond_the_newest_twenty_messages(sandbox: Sandbox) -> None:
    first = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    chatter(sandbox, first["conversation"]["id"], 30)
    other = Bench(sandbox)
    again = await other.call(**LOCKED, idempotency_key="k")
    assert (again["outcome"], again["message"]) == ("already_created", first["message"])
    assert other.messages(2).count("Hello") == 1


async def test_in_a_locked_inbox_it_is_said_how_far_a_key_was_looked_for(sandbox: Sandbox) -> None:
    chatter(sandbox, 2, 220)
    result = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert BEYOND in result["warnings"]


@tools
@pytest.mark.parametrize("dry_run", [True, False])
async def test_so_it_is_of_the_key_of_a_message(sandbox: Sandbox, tool: str, dry_run: bool) -> None:
    chatter(sandbox, 4, 220)
    keyed: dict[str, Any] = {"conversation_id": 4, "content": "Hello", "idempotency_key": "k", "dry_run": dry_run}
    assert BEYOND in (await Bench(sandbox).call(tool, **keyed))["warnings"]


BEYOND: Final = (
    "idempotency_key: only the newest 200 messages were looked through for an earlier call of another process."
)


def chatter(sandbox: Sandbox, display_id: int, number: int) -> None:
    """The customer writes a lot, just now."""
    query = (
        "INSERT INTO messages ({0}) SELECT {0} FROM messages WHERE id = (SELECT MAX(m.id) FROM messages m JOIN "
        "conversations c ON c.id = m.conversation_id WHERE c.account_id = 1 AND c.display_id = ?)"
    )
    columns = [str(row["name"]) for row in sandbox.store.rows("PRAGMA table_info(messages)") if row["name"] != "id"]
    for _ in range(number):
        sandbox.store.execute(query.format(", ".join(columns)), display_id)
    [newest] = sandbox.store.rows("SELECT MAX(created_at) AS at FROM messages")
    sandbox.store.execute(
        "UPDATE messages SET message_type = 0, content = 'Hm?', created_at = ?, content_attributes = '{}' WHERE id IN "
        "(SELECT id FROM messages ORDER BY id DESC LIMIT ?)",
        newest["at"],
        number,
    )


@tools
@pytest.mark.parametrize("same_process", [True, False])
async def test_a_dry_run_with_a_used_key_says_that_it_was_sent(sandbox: Sandbox, tool: str, same_process: bool) -> None:
    keyed: dict[str, Any] = {"conversation_id": 4, "content": "Hello", "idempotency_key": "k"}
    bench = Bench(sandbox)
    assert (await bench.call(tool, **keyed, dry_run=True))["outcome"] == "dry_run"
    first = await bench.call(tool, **keyed)
    again = await (bench if same_process else Bench(sandbox)).call(tool, **keyed, dry_run=True)
    assert (again["outcome"], again["message"], "request" in again) == ("already_sent", first["message"], False)
    other = await bench.refused(tool, **{**keyed, "content": "Goodbye"}, dry_run=True)
    assert other.code == "idempotency_conflict"
    assert bench.messages(4).count("Hello") == 1
