"""Another process uses the same idempotency key with other arguments at the same moment: what it made is not taken for
ours, and what is said of it is so."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench
from tools.test_locked_inbox import LOCKED, Overtaken

OURS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "reply_to_conversation": ({"conversation_id": 4, "content": "Ours"}, {"content": "Theirs"}),
    "add_private_note": ({"conversation_id": 4, "content": "Ours"}, {"content": "Theirs"}),
    "create_conversation": (
        {"inbox_id": 2, "contact_id": 1, "message": {"content": "Ours"}},
        {"message": {"content": "Theirs"}},
    ),
}
USED: Final = "Another process used this idempotency_key with other arguments at the same moment: "


def made(sandbox: Sandbox, content: str) -> int:
    return len(sandbox.store.rows("SELECT id FROM messages WHERE content = ?", content))


@pytest.mark.parametrize("tool", OURS)
async def test_a_rival_that_says_something_else_is_not_said_to_say_the_same(sandbox: Sandbox, tool: str) -> None:
    ours, theirs = OURS[tool]
    app = Overtaken(sandbox, {**ours, **theirs, "idempotency_key": "k"}, tool)
    result = await Bench(sandbox, app=app).call(tool, **ours, idempotency_key="k")
    assert (result["outcome"], result["message"]["content"]) == (app.other["outcome"], "Ours")
    what = "conversation" if tool == "create_conversation" else "message"
    assert result[what]["id"] != app.other[what]["id"]
    [warning] = result["warnings"]
    assert warning.startswith(f"{USED}{what} {app.other[what]['id']} ")


async def test_nor_in_a_locked_inbox(sandbox: Sandbox) -> None:
    asked = {**LOCKED, "idempotency_key": "k"}
    app = Overtaken(sandbox, {**asked, "message": {"content": "Theirs"}})
    result = await Bench(sandbox, app=app).call(**asked)
    assert (result["message"]["content"], result["conversation"]["id"]) == (
        LOCKED["message"]["content"],
        app.other["conversation"]["id"],
    )
    assert result["warnings"][0].startswith(f"{USED}message {app.other['message']['id']} ")


@pytest.mark.parametrize("tool", OURS)
@pytest.mark.parametrize(("kind", "outcome"), [("cut_before", None), ("cut_after", "recovered")])
async def test_what_a_rival_made_is_not_found_in_place_of_ours(
    sandbox: Sandbox, tool: str, kind: Any, outcome: str | None
) -> None:
    ours, theirs = OURS[tool]
    app = Overtaken(sandbox, {**ours, **theirs, "idempotency_key": "k"}, tool)
    bench = Bench(sandbox, app=app)
    # The first to arrive is theirs, the second ours.
    for fault in ("latency", kind):
        sandbox.faults.add(Fault(fault, method="POST", path=f"{app.created}$"))
    if outcome is None:
        failure = await bench.refused(tool, **ours, idempotency_key="k")
        assert (failure.code, failure.retryable) == ("chatwoot_error", True)
    else:
        result = await bench.call(tool, **ours, idempotency_key="k")
        assert (result["outcome"], result["message"]["content"]) == ("recovered", "Ours")
    assert (made(sandbox, "Theirs"), made(sandbox, "Ours")) == (1, int(outcome is not None))


async def test_nor_in_a_locked_inbox_what_a_rival_wrote(sandbox: Sandbox) -> None:
    asked = {**LOCKED, "idempotency_key": "k"}
    app = Overtaken(sandbox, {**asked, "message": {"content": "Theirs"}})
    for fault in ("latency", "cut_before"):
        sandbox.faults.add(Fault(fault, method="POST", path="/conversations$"))  # type: ignore[arg-type]
    failure = await Bench(sandbox, app=app).refused(**asked)
    assert (failure.code, made(sandbox, "Theirs")) == ("chatwoot_error", 1)


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("token", ["sandbox-admin", "sandbox-bot"])
async def test_a_step_of_a_handover_that_its_key_wrote_otherwise_is_not_said_to_be_done(
    sandbox: Sandbox, token: str, same_process: bool
) -> None:
    policy = Policy(default_account=1)
    asked = {"conversation_id": 4, "message": "Wait", "summary": "Theirs", "idempotency_key": "k"}
    bench = Bench(sandbox, token, policy)
    await bench.call("escalate_to_human", **asked)
    other = bench if same_process else Bench(sandbox, token, policy)
    result = await other.call("escalate_to_human", **{**asked, "summary": "Ours"})
    told = {step["step"]: step for step in result["steps"]}
    assert (result["complete"], told["message"]["status"], told["note"]["status"]) == (False, "already_done", "failed")
    assert "used before with other arguments" in told["note"]["detail"]
    assert (made(sandbox, "Wait"), made(sandbox, "Theirs"), made(sandbox, "Ours")) == (1, 1, 0)
    assert (await other.call("escalate_to_human", **asked))["complete"]
