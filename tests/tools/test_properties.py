"""Arbitrary JSON at the tools: it is refused or served, and never makes Chatwoot fail."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chatwoot_sandbox import Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.registry import TOOLS
from support import Bench

pytestmark = pytest.mark.long

NAMES: Final = (
    "account_id",
    "inbox_id",
    "contact_id",
    "source_id",
    "status",
    "assignee_id",
    "team_id",
    "additional_attributes",
    "custom_attributes",
    "message",
    "idempotency_key",
    "dry_run",
    "response_format",
)
LOCAL: Final = {
    "invalid_arguments",
    "account_required",
    "not_allowed",
    "source_id_required",
    "assignee_not_assignable",
    "team_not_found",
    "template_invalid",
}
"""Codes of what is found out without the write."""

Objects = st.SearchStrategy[dict[str, Any]]

texts = st.text(max_size=20) | st.sampled_from(
    ["jane-api", "jane@customers.test", "+15550001001", "tg-6", "\x00", "\ud800"]
)
scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
ids = st.integers(min_value=-1, max_value=35)
id_forms: st.SearchStrategy[Any] = st.one_of(ids, ids.map(str), ids.map(float))
objects: Objects = st.dictionaries(texts, values, max_size=4)
templates: Objects = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["welcome", "order_update", "promo_image", "greeting", "none"]) | values,
        "language": st.sampled_from(["en", "en_US", "pt_BR"]) | values,
        "processed_params": objects | st.just({"body": {"1": "a", "2": "b"}}) | values,
    },
)
messages: Objects = st.fixed_dictionaries(
    {},
    optional={
        "content": texts | values,
        "private": st.booleans() | values,
        "template_params": templates | values,
        "echo_id": values,
    },
)
plausible: dict[str, st.SearchStrategy[Any]] = {
    "account_id": st.sampled_from([1, 2, 3, "1"]) | values,
    "inbox_id": id_forms | values,
    "contact_id": id_forms | values,
    "source_id": texts | values,
    "status": st.sampled_from(["open", "resolved", "pending", "snoozed", "OPEN", "2"]) | values,
    "assignee_id": id_forms | values,
    "team_id": id_forms | values,
    "additional_attributes": objects | objects.map(repr) | values,
    "custom_attributes": objects | values,
    "message": messages | values,
    "idempotency_key": texts | values,
    "response_format": st.sampled_from(["concise", "detailed"]) | values,
    "statuss": values,
}
arbitrary: Objects = st.dictionaries(st.sampled_from(NAMES) | texts, values, max_size=10)
well_formed: Objects = st.fixed_dictionaries(
    {"account_id": st.just(1), "inbox_id": st.integers(1, 17), "contact_id": st.integers(1, 31)},
    optional={
        "source_id": st.text(min_size=1, max_size=20),
        "status": st.sampled_from(["open", "resolved", "pending"]),
        "assignee_id": st.integers(1, 7),
        "team_id": st.integers(1, 5),
        "additional_attributes": objects,
        "custom_attributes": st.dictionaries(st.text(max_size=8), scalars, max_size=3),
        "message": st.fixed_dictionaries(
            {"content": st.text(min_size=1)}, optional={"private": st.booleans(), "template_params": templates}
        ),
    },
)
one_of_them: Objects = st.sampled_from(sorted(plausible)).flatmap(
    lambda name: st.fixed_dictionaries({name: plausible[name]})
)
nearly_well_formed: Objects = st.builds(dict[str, Any].__or__, well_formed, one_of_them)
tokens = st.sampled_from(["sandbox-admin", "sandbox-agent", "sandbox-bot", "sandbox-owner"])


def is_sendable(value: Any) -> bool:
    """Whether it can arrive over MCP at all: as JSON in UTF-8, without NaN."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return True


async def throw(arguments: dict[str, Any], token: str = "sandbox-admin") -> None:
    sandbox = Sandbox()
    bench = Bench(sandbox, token=token)
    try:
        before = bench.conversations()
        try:
            result = await bench.call(**arguments)
        except Exception:  # noqa: BLE001 - told apart below
            bench.sandbox.requests.clear()
            failure = await bench.refused(**arguments)
            event(failure.code)
            assert failure.code != "internal_error", failure.__cause__
            assert failure.text
            if failure.code in LOCAL:
                assert bench.writes == []
            assert bench.conversations() == before
        else:
            event(result["outcome"])
            assert is_sendable(result)
            assert len(bench.writes) == 1
        failed = [record for record in sandbox.requests if record.status is None or record.status >= 500]
        # A bot's token may not ask for an inbox's channel: nobody can know that it needs a source id.
        assert failed == [] or token == "sandbox-bot"
    finally:
        sandbox.close()


thrown = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@thrown
@given(arbitrary)
async def test_arbitrary_json(arguments: dict[str, Any]) -> None:
    await throw({name: value for name, value in arguments.items() if name != "dry_run"})


@thrown
@given(nearly_well_formed, tokens)
async def test_nearly_valid_arguments(arguments: dict[str, Any], token: str) -> None:
    await throw(arguments, token)


@thrown
@given(well_formed, tokens)
async def test_well_formed_arguments(arguments: dict[str, Any], token: str) -> None:
    await throw(arguments, token)


FORMS: dict[str, st.SearchStrategy[Any]] = {
    "account_id": st.just(1),
    "inbox_id": id_forms,
    "contact_id": st.integers(1, 32),
    "status": st.sampled_from(["open", "resolved", "pending", "snoozed", "all", "x"]),
    "custom_attributes": objects,
    "additional_attributes": objects,
    "idempotency_key": texts,
    "dry_run": st.booleans(),
    "conversation_id": st.integers(1, 45),
    "content": st.text(max_size=30),
    "summary": st.text(max_size=30),
    "message": st.text(max_size=30),
    "mentions": st.lists(st.sampled_from(["2", "Bob Agent", "x"]), max_size=2),
    "attachments": st.just(["a.txt"]),
    "template_params": templates,
    "inbox": st.sampled_from(["2", "Website", "nosuch", 14]),
    "team": st.sampled_from(["support", "none", "1", "x"]),
    "assignee": st.sampled_from(["me", "none", "Bob Agent", "3", "x"]),
    "labels": st.just(["vip"]),
    "add_labels": st.just(["vip"]),
    "remove_labels": st.just(["vip", "bug"]),
    "set_labels": st.just(["bug"]),
    "unset_custom_attributes": st.just(["a"]),
    "priority": st.sampled_from(["low", "none", "x"]),
    "snoozed_until": st.sampled_from(["2099-01-01T00:00:00Z", "2099", "x"]),
    "query": st.text(min_size=1, max_size=8),
    "email": st.sampled_from(["jane@customers.test", "new@customers.test", "x"]),
    "phone_number": st.sampled_from(["+15550001001", "+49 89 1", "1"]),
    "identifier": st.sampled_from(["crm-1001", "new"]),
    "name": st.text(max_size=20),
    "created_after": st.sampled_from(["2026-01-01", "x"]),
    "created_before": st.sampled_from(["2026-01-01", "x"]),
    "sort": st.sampled_from(["newest", "priority", "x"]),
    "limit": st.integers(-1, 30),
    "cursor": texts,
    "include": st.lists(st.sampled_from(["inboxes", "conversations", "labels", "x"]), max_size=3),
}
OTHERS = [tool for tool in TOOLS if tool.name != "create_conversation"]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A tool, and a few of its arguments in forms of their own, one of them perhaps as arbitrary JSON."""
    tool = draw(st.sampled_from(OTHERS))
    names = draw(st.lists(st.sampled_from(sorted(tool.input.model_fields)), unique=True, max_size=5))
    needed = [name for name, field in tool.input.model_fields.items() if field.is_required()]
    chosen = dict.fromkeys([*needed, *names])
    wrong = draw(st.sampled_from([None, None, *chosen]))
    return tool.name, {name: draw(values if name == wrong else FORMS[name]) for name in chosen}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(calls(), tokens)
async def test_any_tool_with_nearly_valid_arguments(call: tuple[str, dict[str, Any]], token: str) -> None:
    tool, arguments = call
    sandbox = Sandbox()
    bench = Bench(sandbox, token=token, policy=Policy(default_account=1))
    try:
        try:
            assert is_sendable(await bench.call(tool, **arguments))
            event(f"{tool} succeeded")
        except Exception:  # noqa: BLE001 - told apart below
            sandbox.requests.clear()
            failure = await bench.refused(tool, **arguments)
            assert failure.code not in {"internal_error", "chatwoot_error"}, (tool, failure)
        assert [record for record in sandbox.requests if record.status is None or record.status >= 500] == []
    finally:
        sandbox.close()
