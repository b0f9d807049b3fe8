"""Every error code of create_conversation, from a real answer of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.failures.codes import Code
from support import Bench

PAIR: Final[dict[str, Any]] = {"inbox_id": 2, "contact_id": 1}
CREATE: Final[dict[str, Any]] = {"method": "POST", "path": "/conversations$"}


def faults(*rules: Fault) -> Callable[[Sandbox], None]:
    def prepare(sandbox: Sandbox) -> None:
        for rule in rules:
            sandbox.faults.add(rule)

    return prepare


def flooded(sandbox: Sandbox) -> None:
    """200 messages in the locked conversation within a minute: Chatwoot's guard refuses the next."""
    for _ in range(200):
        values = {
            "account_id": 1,
            "inbox_id": 16,
            "conversation_id": 2,
            "message_type": 1,
            "content": "x",
            "private": 0,
        }
        sandbox.store.insert("messages", **values, created_at=sandbox.store.now(), updated_at=sandbox.store.now())


@dataclass(frozen=True)
class Case:
    """What leads to a code: arguments, what is done to the sandbox, and who asks under which policy."""

    code: Code
    about: str | None
    arguments: dict[str, Any] = field(default_factory=lambda: PAIR)
    prepare: Callable[[Sandbox], None] = lambda _: None
    token: str = "sandbox-admin"
    policy: Policy = field(default_factory=Policy)
    retryable: bool = False
    says: str = ""


CASES: Final = [
    Case("invalid_arguments", "status", {**PAIR, "status": "closed"}),
    Case("account_required", "account_id", token="sandbox-owner", says="1 (Acme Support)"),
    Case("not_allowed", "inbox_id", policy=Policy(allowed_inboxes=frozenset({3})), says="CHATWOOT_MCP_ALLOWED_INBOXES"),
    Case("not_found", "contact_id", {**PAIR, "contact_id": 999}, says="contact 999"),
    Case("source_id_required", "source_id", {"inbox_id": 10, "contact_id": 6}, says="tg-6"),
    Case("source_id_invalid", "source_id", {"inbox_id": 5, "contact_id": 1, "source_id": "x"}, says="with +"),
    Case("source_id_invalid", "source_id", {"inbox_id": 5, "contact_id": 1, "source_id": "x"},
         token="sandbox-bot", policy=Policy(default_account=1), says="Leave it out"),
    Case("source_id_taken", "source_id", {"inbox_id": 2, "contact_id": 2, "source_id": "jane-api"}),
    Case("contact_detail_missing", "contact_id", {"inbox_id": 3, "contact_id": 4}, says="no e-mail address"),
    Case("assignee_not_assignable", "assignee_id", {**PAIR, "assignee_id": 4}, says="2 (Bob Agent)"),
    Case("team_not_found", "team_id", {**PAIR, "team_id": 9}, says="1 (support)"),
    Case("template_invalid", "message.template_params.name",
         {"inbox_id": 4, "contact_id": 1, "message": {"template_params": {"name": "x"}}}, says="welcome"),
    Case("token_missing", None, token="", says="proxy"),
    Case("token_invalid", None, token="nobody", says="CHATWOOT_API_TOKEN"),
    Case("not_a_member", None, {**PAIR, "account_id": 1}, token="sandbox-other"),
    Case("account_suspended", None, {**PAIR, "account_id": 2}, token="sandbox-owner"),
    Case("bot_not_allowed", "team_id", {**PAIR, "team_id": 1}, token="sandbox-bot", policy=Policy(default_account=1)),
    Case("rate_limited", None, {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "message": {"content": "x"}},
         flooded, retryable=True, says="in 60 seconds"),
    Case("plan_limit", None, prepare=faults(Fault("status", status=402, **CREATE))),
    Case("rate_limited", None, prepare=faults(Fault("status", status=429, times=None)), retryable=True),
    Case("redirected", None, prepare=faults(Fault("redirect", location="https://desk.test/")), says="desk.test"),
    Case("chatwoot_error", None, prepare=faults(Fault("status", status=500, **CREATE)), retryable=True,
         says="nothing was created"),
    Case("chatwoot_error", None, prepare=faults(Fault("status", status=503, times=3)), retryable=True),
    Case("chatwoot_error", None, prepare=faults(Fault("cut_before", times=3)), retryable=True),
    Case("outcome_unknown", None, prepare=faults(Fault("status", status=504, **CREATE)), says="Do not simply call"),
    Case("deadline_exceeded", None, prepare=faults(Fault("latency", delay_s=30)), policy=Policy(deadline_s=0.05),
         retryable=True),
    Case("response_too_large", None, prepare=faults(Fault("oversized")), says="8 MiB"),
    Case("unexpected_response", None, prepare=faults(Fault("html")), says="CHATWOOT_BASE_URL"),
]  # fmt: skip
ELSEWHERE: Final = {
    "rejected": "test_writing.py",
    "forbidden": "test_create_conversation.py",
    "idempotency_conflict": "test_once.py",
    "unreachable": "tests/server/test_stdio.py",
    "cancelled": "tests/faults/test_ending.py",
    "ambiguous_name": "test_update_conversation.py",
    "read_only": "tests/server/test_adapter.py",
    "internal_error": "tests/server/test_adapter.py",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.about}")
async def test_the_code_and_what_to_do(sandbox: Sandbox, case: Case) -> None:
    case.prepare(sandbox)
    bench = Bench(sandbox, case.token, case.policy)
    before = bench.conversations()
    told = await bench.refused(**case.arguments)
    assert (told.code, told.field, told.retryable) == (case.code, case.about, case.retryable)
    assert case.says in told.text
    assert told.text.endswith(".")
    assert len(told.text) < 700
    assert bench.conversations() == before


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_conversation", PAIR),
        ("add_private_note", {"conversation_id": 4, "content": "x"}),
        ("update_conversation", {"conversation_id": 4, "status": "resolved"}),
        ("find_conversations", {}),
    ],
)
async def test_a_spent_deadline_is_told_as_such_and_not_as_chatwoots_silence(
    bench: Bench, tool: str, arguments: dict[str, Any]
) -> None:
    """All look-ups are kept, and no time is left for the request itself: Chatwoot was not asked."""
    await bench.call(**PAIR)
    bench.sandbox.requests.clear()
    bench.desk.policy = Policy(deadline_s=0.0)
    told = await bench.refused(tool, **arguments)
    assert (told.code, told.retryable, bench.requests) == ("deadline_exceeded", True, [])
    assert told.text.startswith("No time was left to ask Chatwoot.")


def test_no_code_is_left_out() -> None:
    assert {case.code for case in CASES} | ELSEWHERE.keys() == set(get_args(Code))
