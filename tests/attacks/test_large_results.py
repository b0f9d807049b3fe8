"""However much customers wrote: a result stays small, keeps its shape, and says what it left out."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatwoot_sandbox import Sandbox
from chatwoot_tools.registry import TOOLS
from chatwoot_tools.size import MAX_RESULT, fitted
from chatwoot_tools.tool import Result
from support import Bench

CALLS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("find_contacts", {"contact_id": 1, "include": ["inboxes", "conversations"]}),
    ("find_contacts", {"query": "e"}),
    ("save_contact", {"contact_id": 1, "identifier": "other"}),
    ("get_conversation", {"conversation_id": 2}),
    ("find_conversations", {"status": "all"}),
    ("update_conversation", {"conversation_id": 2, "priority": "low"}),
    ("escalate_to_human", {"conversation_id": 2, "summary": "s"}),
    ("create_conversation", {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "response_format": "detailed"}),
]


def deep(levels: int) -> Any:
    return {"k": deep(levels - 1), "l": ["y" * 200]} if levels else "x"


ATTRIBUTES: Final[dict[str, dict[str, Any]]] = {
    "many texts": {f"key {each}": "x" * 1_500 for each in range(300)},
    "many names": {f"key {each}": 1 for each in range(40_000)},
    "one long list": {"k": ["abc"] * 100_000},
    "deep": {f"key {each}": deep(60) for each in range(50)},
    "escapes": {f"key {each}": '"\\\n' * 500 for each in range(200)},
    "emoji": {f"key {each}": "😀" * 1_500 for each in range(100)},
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
async def test_no_customers_attributes_make_a_result_large(sandbox: Sandbox, kind: str) -> None:
    bench, packed = Bench(sandbox), json.dumps(ATTRIBUTES[kind])
    for table in ("contacts", "conversations"):
        few = "id = 1" if table == "contacts" else "display_id = 2"
        change = f"UPDATE {table} SET custom_attributes = ?, additional_attributes = ? WHERE {few}"  # noqa: S608 - of this file
        sandbox.store.execute(change, packed, packed)
    for tool, arguments in CALLS:
        result = await bench.call(tool, **arguments)  # which checks it against the output schema
        size = len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
        assert size <= MAX_RESULT, tool
        assert result.get("warnings", [""])[-1].startswith("The result was too long") == (size > MAX_RESULT / 4), tool


class WithLongNumbers:
    """A Chatwoot that shows as numbers what the sandbox holds as texts of a thousand digits and more."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started: list[Any] = []
        body = b""

        async def changed(message: Any) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                started.append(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = re.sub(rb'"(-?\d{1000,})"', rb"\1", body)
            headers = [pair for pair in started[0]["headers"] if pair[0].lower() != b"content-length"]
            await send({**started[0], "headers": headers})
            await send({"type": "http.response.body", "body": body})

        await self.sandbox.app(scope, receive, changed)


async def test_numbers_that_python_cannot_read_or_takes_long_to_write_come_as_text_and_are_cut(
    sandbox: Sandbox,
) -> None:
    attributes = {f"key {each}": f"{'-' * (each % 2)}1" + "0" * 4_299 for each in range(480)} | {"last": "9" * 5_000}
    sandbox.store.execute("UPDATE contacts SET custom_attributes = ? WHERE id = 1", json.dumps(attributes))
    bench = Bench(sandbox, app=WithLongNumbers(sandbox))
    [contact] = (await bench.call("find_contacts", contact_id=1))["contacts"]
    assert all(isinstance(value, str) for value in contact["custom_attributes"].values())
    assert len(json.dumps(contact)) <= MAX_RESULT


async def test_a_number_that_chatwoot_would_show_as_such_a_text_is_not_sent(bench: Bench) -> None:
    longest = 10**100 - 1
    refused = await bench.refused("save_contact", contact_id=1, custom_attributes={"n": longest + 1})
    assert (refused.code, refused.field) == ("invalid_arguments", "custom_attributes.n")
    result = await bench.call("save_contact", contact_id=1, custom_attributes={"n": -longest})
    assert result["contact"]["custom_attributes"]["n"] == -longest
    assert result["not_applied"] == []


async def test_what_is_short_stays_whole_beside_what_is_cut(bench: Bench) -> None:
    attributes = {"plan": "gold", "history": ["visit"] * 50_000, "note": "x" * 1_500}
    bench.sandbox.store.execute("UPDATE contacts SET custom_attributes = ? WHERE id = 1", json.dumps(attributes))
    result = await bench.call("find_contacts", contact_id=1)
    [contact] = result["contacts"]
    shown = contact["custom_attributes"]
    assert (contact["name"], shown["plan"], shown["note"]) == ("Jane Doe", "gold", "x" * 1_500)
    assert 100 < len(shown["history"]) < 50_000
    assert result["warnings"] == ["The result was too long, only a part is shown of: custom_attributes."]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_can_say_that_it_left_something_out(tool: Any) -> None:
    assert "warnings" in tool.output.model_fields


class Anything(Result):
    id: int
    name: str
    attributes: dict[str, Any]
    labels: list[str]
    warnings: list[str] | None = None


JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=40), inner)),
    max_leaves=20,
)


@settings(max_examples=100)
@given(JSON, st.integers(1, 20_000), st.integers(1, 3_000))
def test_any_json_is_made_to_fit_in_its_shape(value: Any, times: int, labels: int) -> None:
    attributes = {f"key {each}": value for each in range(times)}
    result = Anything(id=1, name="n" * 200, attributes=attributes, labels=["label" * 10] * labels)
    fitting = fitted(result)
    assert len(fitting.model_dump_json().encode()) <= MAX_RESULT + 200
    assert Anything.model_validate(fitting.model_dump()) == fitting
    assert (fitting.id, fitting.name) == (1, "n" * 200)
    assert (fitting.warnings is None) == (fitting is result)
    assert fitted(fitting) is fitting
