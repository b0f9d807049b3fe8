"""An inbox that keeps one conversation per identity of a contact gives an older one back, without our stamp."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from support import Bench

PAIR: Final[dict[str, Any]] = {"inbox_id": 2, "contact_id": 1}
LOCKED: Final[dict[str, Any]] = {
    "inbox_id": 16,
    "contact_id": 1,
    "source_id": "jane-vip",
    "message": {"content": "Hello VIP"},
}
CREATE: Final[dict[str, Any]] = {"method": "POST", "path": "/conversations$"}
DONE_BUT_UNSEEN: Final = [
    *(Fault("status_after", status=status, **CREATE) for status in (500, 502, 503, 504)),
    *(Fault(kind, **CREATE) for kind in ("cut_after", "oversized", "broken")),
]


def named(fault: Fault) -> str:
    return f"{fault.kind}-{fault.status}"


# --- the answer of the create is lost ---


@pytest.mark.parametrize("fault", DONE_BUT_UNSEEN, ids=named)
async def test_in_a_locked_inbox_the_conversations_of_all_its_identities_are_searched(
    sandbox: Sandbox, fault: Fault
) -> None:
    """It keeps one for each source id, and that of the highest number need not be the one asked for."""
    await Bench(sandbox).call(**{**LOCKED, "source_id": "jane-two"})
    bench = Bench(sandbox)
    sandbox.faults.add(fault)
    result = await bench.call(**LOCKED, idempotency_key="k")
    assert (result["outcome"], result["conversation"]["id"]) == ("recovered", 2)
    other = Bench(sandbox)
    again = await other.call(**LOCKED, idempotency_key="k")
    assert (again["outcome"], again["conversation"]["id"]) == ("already_created", 2)
    assert other.messages(2).count("Hello VIP") == 1


async def test_in_a_locked_inbox_a_later_conversation_of_the_same_identity_hides_none(sandbox: Sandbox) -> None:
    """The lock may have been off in between."""
    await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 0 WHERE id = 16")
    await Bench(sandbox).call(**{**LOCKED, "message": {"content": "Another"}})
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 1 WHERE id = 16")
    again = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert (again["outcome"], again["conversation"]["id"]) == ("already_created", 2)


async def test_in_a_locked_inbox_conversations_of_another_identity_are_not_read(sandbox: Sandbox) -> None:
    await Bench(sandbox).call(**{**LOCKED, "source_id": "jane-two"})
    bench = Bench(sandbox)
    sandbox.requests.clear()
    await bench.call(**LOCKED, idempotency_key="k")
    assert not [each for each in bench.requests if "/conversations/42/" in each[1]]


async def locked_since(sandbox: Sandbox) -> Bench:
    """It knows the inbox as one that is not locked."""
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 0 WHERE id = 16")
    bench = Bench(sandbox)
    await bench.call(inbox_id=16, contact_id=2)
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 1 WHERE id = 16")
    return bench


@pytest.mark.parametrize("fault", DONE_BUT_UNSEEN, ids=named)
async def test_an_inbox_that_was_locked_a_moment_ago_is_searched(sandbox: Sandbox, fault: Fault) -> None:
    bench = await locked_since(sandbox)
    sandbox.faults.add(fault)
    result = await bench.call(**LOCKED)
    assert (result["outcome"], result["conversation"]["id"]) == ("recovered", 2)
    assert bench.messages(2).count("Hello VIP") == 1


async def test_where_it_cannot_be_seen_whether_it_was_locked_the_outcome_is_unknown(sandbox: Sandbox) -> None:
    bench = await locked_since(sandbox)
    sandbox.faults.add(Fault("status_after", status=500, **CREATE))
    sandbox.faults.add(Fault("status", status=503, method="GET", path="/inboxes$", times=None))
    failure = await bench.refused(**LOCKED, idempotency_key="k")
    assert (failure.code, "is safe" in failure.text) == ("outcome_unknown", False)


async def locked_template(sandbox: Sandbox) -> dict[str, Any]:
    """A template for a customer whose locked inbox has a conversation already."""
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 1 WHERE id = 4")
    template = {"name": "welcome", "language": "en_US"}
    asked = {"inbox_id": 4, "contact_id": 1, "message": {"template_params": template}}
    assert (await Bench(sandbox).call(**asked))["conversation"]["id"] == 42
    return asked


@pytest.mark.parametrize("fault", DONE_BUT_UNSEEN, ids=named)
async def test_a_template_without_a_text_of_ours_is_looked_for(sandbox: Sandbox, fault: Fault) -> None:
    asked = await locked_template(sandbox)
    bench = Bench(sandbox)
    sandbox.faults.add(fault)
    result = await bench.call(**asked, idempotency_key="k")
    assert (result["outcome"], result["conversation"]["id"]) == ("recovered", 42)
    other = Bench(sandbox)
    assert (await other.call(**asked, idempotency_key="k"))["outcome"] == "already_created"
    assert len(other.messages(42)) == 2


async def test_where_marks_are_dropped_a_template_behind_a_lost_answer_may_be_any_of_the_owners() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    asked = await locked_template(sandbox)
    sandbox.faults.add(Fault("status_after", status=500, **CREATE))
    failure = await Bench(sandbox).refused(**asked, idempotency_key="k")
    assert (failure.code, "is safe" in failure.text) == ("outcome_unknown", False)
    sandbox.close()


# --- keys ---


async def test_what_a_locked_inbox_gave_back_is_not_said_to_be_created_by_the_key(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    await bench.call(**LOCKED, idempotency_key="k")
    await bench.call(**PAIR, idempotency_key="new")
    for again in (bench, Bench(sandbox)):
        assert (await again.call(**LOCKED, idempotency_key="k"))["warnings"] == [
            "An earlier call with this idempotency_key led to it, which may have been there before; it is shown as it "
            "is now."
        ]
        assert (await again.call(**PAIR, idempotency_key="new"))["warnings"] == [
            "An earlier call with this idempotency_key created it; it is shown as it is now."
        ]


class Overtaken:
    """Before the first create reaches the sandbox, another process makes a call."""

    def __init__(self, sandbox: Sandbox, asked: dict[str, Any], tool: str = "create_conversation") -> None:
        self.sandbox, self.asked, self.tool = sandbox, asked, tool
        self.created = "/conversations" if tool == "create_conversation" else "/messages"
        self.other: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(self.created):
            asked, self.asked = self.asked, {}
            if asked:
                self.other = await Bench(self.sandbox).call(self.tool, **asked)
        await self.sandbox.app(scope, receive, send)


@pytest.mark.parametrize("there", [True, False], ids=["reused", "new"])
async def test_two_processes_that_write_into_one_locked_conversation_are_told(sandbox: Sandbox, there: bool) -> None:
    asked = {**LOCKED, "idempotency_key": "k"}
    if not there:
        sandbox.store.execute("DELETE FROM conversations WHERE inbox_id = 16")
    app = Overtaken(sandbox, asked)
    bench = Bench(sandbox, app=app)
    result = await bench.call(**asked)
    assert result["conversation"]["id"] == app.other["conversation"]["id"]
    assert result["message"]["id"] != app.other["message"]["id"]
    assert result["warnings"] == [
        "Another process used this idempotency_key at the same moment: "
        f"message {app.other['message']['id']} says the same."
    ]


async def test_in_a_locked_inbox_of_an_older_chatwoot_it_is_said_that_a_key_holds_within_the_process() -> None:
    sandbox = Sandbox(chatwoot="4.7")
    result = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert (result["outcome"], result["warnings"]) == (
        "reused",
        ["idempotency_key: it works only within this server process, because this Chatwoot drops marks on messages."],
    )
    sandbox.close()


async def test_in_a_locked_inbox_a_look_for_rivals_that_fails_is_told(sandbox: Sandbox) -> None:
    messages: dict[str, Any] = {"method": "GET", "path": "/conversations/2/messages$"}
    sandbox.faults.add(Fault("latency", delay_s=0, **messages))
    sandbox.faults.add(Fault("status", status=503, times=None, **messages))
    result = await Bench(sandbox).call(**LOCKED, idempotency_key="k")
    assert (result["outcome"], result["warnings"]) == (
        "reused",
        ["idempotency_key: whether another process sent the same at the same moment could not be looked up."],
    )
