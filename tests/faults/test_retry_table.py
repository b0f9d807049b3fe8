"""Every row of the retry table for every kind of call, over real sockets: how often it was sent, and what is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from chatwoot_sandbox import Sandbox
from faults.proxy import Fault, Proxy, always, proxy, retry_after
from support import Bench
from virtual import in_virtual_time

REQUEST_S: Final = 0.4
"""So long one request may take here, instead of 20 seconds: three of those would be more than a call has."""


@dataclass(frozen=True)
class Call:
    """A call, and the one of its requests that meets the fault. ``table``: where its effect is a new row."""

    tool: str
    arguments: dict[str, Any]
    method: str
    path: str
    table: str | None = None

    @property
    def about(self) -> tuple[str, str]:
        return self.method, self.path


READS: Final = {
    "get_conversation": Call("get_conversation", {"conversation_id": 4}, "GET", r"/conversations/4$"),
    "find_conversations": Call("find_conversations", {}, "GET", r"/conversations\?"),
    "find_contacts": Call("find_contacts", {"email": "jane@customers.test"}, "POST", r"/contacts/filter"),
}
NEW: Final = {
    "create_conversation": Call(
        "create_conversation", {"inbox_id": 2, "contact_id": 1}, "POST", r"/conversations$", "conversations"
    ),
    "reply_to_conversation": Call(
        "reply_to_conversation", {"conversation_id": 4, "content": "Hello"}, "POST", r"/messages$", "messages"
    ),
    "add_private_note": Call(
        "add_private_note", {"conversation_id": 4, "content": "Look"}, "POST", r"/messages$", "messages"
    ),
    "save_contact": Call("save_contact", {"email": "new@customers.test"}, "POST", r"/contacts$", "contacts"),
    "save_contact-by-name": Call("save_contact", {"name": "Nobody's"}, "POST", r"/contacts$", "contacts"),
}
CHANGES: Final = {
    "save_contact-change": Call("save_contact", {"contact_id": 1, "name": "Jane D."}, "PATCH", r"/contacts/1$"),
    "status": Call("update_conversation", {"conversation_id": 4, "status": "resolved"}, "POST", r"/toggle_status$"),
    "priority": Call("update_conversation", {"conversation_id": 4, "priority": "low"}, "PATCH", r"/conversations/4$"),
    "labels": Call("update_conversation", {"conversation_id": 4, "set_labels": ["vip"]}, "POST", r"/labels$"),
    "assignee": Call("update_conversation", {"conversation_id": 4, "assignee": "none"}, "POST", r"/assignments$"),
    "custom_attributes": Call(
        "update_conversation",
        {"conversation_id": 4, "custom_attributes": {"plan": "pro"}},
        "POST",
        r"/custom_attributes$",
    ),
}
LOOKED_AT_BEFORE: Final = ("save_contact-change", "custom_attributes")
"""Of the others nobody knows what they were: what is not so afterwards was perhaps set by somebody since."""
WRITES: Final = {**NEW, **CHANGES}


@dataclass(frozen=True)
class Row:
    """What happened, how often the request then reaches the wire, and the code; None where the call succeeds."""

    fault: Fault
    requests: int
    code: str | None
    retryable: bool = False
    outcome: str | None = field(default=None)

    def __str__(self) -> str:
        return str(self.fault)


def answered(status: int, *, after: bool = False) -> Fault:
    return Fault("answer", status=status, after=after)


SAME_FOR_ALL: Final = [
    Row(retry_after(None), 3, "rate_limited", retryable=True),
    Row(retry_after("2"), 3, "rate_limited", retryable=True),
    Row(retry_after("-5"), 3, "rate_limited", retryable=True),
    Row(retry_after("soon"), 3, "rate_limited", retryable=True),
    Row(retry_after("99999999"), 1, "rate_limited", retryable=True),
    Row(Fault("redirect"), 1, "redirected"),
    Row(answered(401), 1, "forbidden"),
    Row(answered(402), 1, "plan_limit"),
    Row(answered(404), 1, "not_found"),
    Row(answered(422), 1, "rejected"),
]
OF_READS: Final = [
    *SAME_FOR_ALL,
    *(Row(answered(status), 3, "chatwoot_error", retryable=True) for status in (502, 503, 504)),
    Row(Fault("reset"), 3, "chatwoot_error", retryable=True),
    Row(Fault("stall"), 3, "chatwoot_error", retryable=True),
    Row(Fault("stall_body", after=True), 3, "chatwoot_error", retryable=True),
    Row(Fault("truncated", after=True), 3, "chatwoot_error", retryable=True),
    Row(answered(500), 2, "chatwoot_error", retryable=True),
    Row(answered(520), 2, "chatwoot_error", retryable=True),
    Row(Fault("html"), 1, "unexpected_response"),
    Row(Fault("invalid"), 1, "unexpected_response"),
    Row(Fault("wrong_type", after=True), 1, None),
    Row(Fault("huge"), 1, "response_too_large"),
    Row(Fault("bomb"), 1, "response_too_large"),
]
NOT_DONE: Final = [
    *(answered(status) for status in (500, 502, 503, 520)),
    *(Fault("reset"), Fault("html"), Fault("invalid"), Fault("huge"), Fault("bomb")),
]
MAYBE_AT_WORK: Final = [answered(504), Fault("stall")]
DONE_UNSEEN: Final = [
    *(answered(status, after=True) for status in (500, 502, 503, 504, 520)),
    *(Fault("reset", after=True), Fault("stall", after=True), Fault("stall_body", after=True)),
    *(Fault("truncated", after=True), Fault("html", after=True), Fault("invalid", after=True)),
    *(Fault("huge", after=True), Fault("bomb", after=True)),
]
OF_WRITES: Final = [*SAME_FOR_ALL, Row(Fault("wrong_type", after=True), 1, None)]


def rows(table: str | None, sandbox: Sandbox) -> int:
    return len(sandbox.store.rows(f"SELECT id FROM {table}")) if table else 0  # noqa: S608 - of this file


async def run(call: Call, fault: Fault, there: Proxy, sandbox: Sandbox) -> tuple[Any, int, int]:
    """A warm call that meets the fault each time: what it said, how often it was sent, how many rows were added."""
    bench = Bench(sandbox, base_url=there.base_url, request_s=REQUEST_S)
    await bench.call("get_workspace", include=["inboxes", "agents", "teams", "labels"])
    there.seen.clear()
    there.rule = always(fault, *call.about)
    before = rows(call.table, sandbox)
    try:
        said: Any = await bench.call(call.tool, **call.arguments)
    except Exception as error:  # noqa: BLE001 - the caller looks at it
        from chatwoot_mcp.errors import as_failure

        said = as_failure(error)
    finally:
        await bench.aclose()
    return said, sum(seen.meets(*call.about) for seen in there.seen), rows(call.table, sandbox) - before


def cases(calls: dict[str, Call], faults: list[Any]) -> Any:
    return pytest.mark.parametrize(
        ("call", "row"),
        [pytest.param(call, row, id=f"{name}-{row}") for name, call in calls.items() for row in faults],
    )


@cases(READS, OF_READS)
@in_virtual_time
async def test_a_read(sandbox: Sandbox, call: Call, row: Row) -> None:
    async with proxy(sandbox) as there:
        said, sent, _ = await run(call, row.fault, there, sandbox)
    assert sent == row.requests
    if row.code is None:
        assert isinstance(said, dict)
    else:
        assert (said.code, said.retryable) == (row.code, row.retryable)


@cases(WRITES, OF_WRITES)
@in_virtual_time
async def test_a_write_that_is_refused_or_answered(sandbox: Sandbox, call: Call, row: Row) -> None:
    async with proxy(sandbox) as there:
        said, sent, added = await run(call, row.fault, there, sandbox)
    assert sent == row.requests
    if row.code is None:
        assert isinstance(said, dict)
        return
    assert (said.code, said.retryable, added) == (row.code, row.retryable, 0)


@cases(NEW, NOT_DONE)
@in_virtual_time
async def test_what_a_look_shows_not_to_exist_may_be_tried_again(sandbox: Sandbox, call: Call, row: Fault) -> None:
    async with proxy(sandbox) as there:
        said, sent, added = await run(call, row, there, sandbox)
    assert (said.code, said.retryable, sent, added) == ("chatwoot_error", True, 1, 0)
    assert "nothing was" in said.text


@cases(NEW, MAYBE_AT_WORK)
@in_virtual_time
async def test_what_chatwoot_may_still_be_doing_is_unknown(sandbox: Sandbox, call: Call, row: Fault) -> None:
    async with proxy(sandbox) as there:
        said, sent, added = await run(call, row, there, sandbox)
    assert (said.code, said.retryable, sent, added) == ("outcome_unknown", False, 1, 0)
    assert any(word in said.text for word in ("first look at", "first read", "Look with"))


@cases(CHANGES, [*NOT_DONE, *MAYBE_AT_WORK])
@in_virtual_time
async def test_a_change_that_was_not_made_may_be_made_again(sandbox: Sandbox, call: Call, row: Fault) -> None:
    """To set a value twice is to set it once."""
    async with proxy(sandbox) as there:
        said, sent, _ = await run(call, row, there, sandbox)
    assert sent == 1
    is_known = row in NOT_DONE and call in [CHANGES[name] for name in LOOKED_AT_BEFORE]
    assert said.code == ("chatwoot_error" if is_known else "outcome_unknown")
    if call.tool == "update_conversation":
        assert said.retryable is True
        assert said.field == list(call.arguments)[-1].removeprefix("set_")


@cases(WRITES, [*DONE_UNSEEN, Fault("mixed_up", after=True)])
@in_virtual_time
async def test_what_was_done_behind_a_lost_answer_is_found_and_not_done_again(
    sandbox: Sandbox, call: Call, row: Fault
) -> None:
    async with proxy(sandbox) as there:
        said, sent, added = await run(call, row, there, sandbox)
    assert isinstance(said, dict), said
    assert (sent, added) == (1, 1 if call.table else 0)
    if row.kind == "mixed_up" and call.path.endswith(
        ("toggle_status$", "labels$", "assignments$", "custom_attributes$")
    ):
        return  # nothing is read from these answers that could be mixed up
    assert said["outcome"] == "recovered"


@pytest.mark.parametrize("call", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])
@in_virtual_time
async def test_refused_connections_are_tried_three_times_by_reads_and_writes(sandbox: Sandbox, call: Call) -> None:
    async with proxy(sandbox) as there:
        bench = Bench(sandbox, base_url=there.base_url)
        await bench.call("get_workspace", include=["inboxes", "agents", "teams", "labels"])
        await there.shut()
        failure = await bench.refused(call.tool, **call.arguments)
        await bench.aclose()
    assert (failure.code, failure.retryable) == ("unreachable", True)
    assert len(bench.waits) >= 2
