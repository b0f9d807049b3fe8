"""Tools as MCP tools, in memory, in both protocol eras."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import jsonschema
import mcp_types as types
import pytest
from mcp import Client, MCPError

from chatwoot_mcp.adapter import ERROR_META, Seat, build_server, build_server_for
from chatwoot_mcp.errors import as_failure
from chatwoot_mcp.instructions import INSTRUCTIONS
from chatwoot_mcp.records import audit_call, log_call
from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Context, Policy
from chatwoot_tools.registry import TOOLS
from support import Bench, in_own_task

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}
Era = Literal["auto", "legacy"]
CORE = frozenset({"core"})


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Era:
    chosen: Era = request.param
    return chosen


@asynccontextmanager
async def connected(bench: Bench, era: Era, toolsets: frozenset[str] = CORE) -> AsyncGenerator[Client]:
    async with in_own_task(Client(build_server(bench.desk, toolsets), mode=era)) as client:
        yield client


def text_of(result: types.CallToolResult) -> str:
    [block] = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def test_each_era_speaks_its_own_version(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]
        assert client.instructions == INSTRUCTIONS
        assert "safe" not in INSTRUCTIONS  # of keys docs/once.md names the limits
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.prompts is not None
        assert client.server_capabilities.resources is None


async def test_every_tool_is_listed_with_schemas_and_all_four_annotations(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == [tool.name for tool in TOOLS]
    for tool in listed:
        assert tool.annotations is not None
        assert tool.annotations.open_world_hint is True
        assert None not in (
            tool.annotations.read_only_hint,
            tool.annotations.destructive_hint,
            tool.annotations.idempotent_hint,
        )
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema or {})


async def test_a_result_is_structured_valid_and_the_same_as_text(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", {**PAIR, "status": "open"})
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == "create_conversation"]
    jsonschema.validate(result.structured_content, tool.output_schema or {})
    assert result.is_error is False
    assert "null" not in json.dumps(result.structured_content)
    assert json.loads(text_of(result)) == result.structured_content
    assert (result.structured_content or {})["conversation"]["id"] == 42


async def test_other_scripts_than_latin_stay_readable_in_the_text(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        result = await client.call_tool(
            "create_conversation", {**PAIR, "message": {"content": "Добрый день, 田中さん"}}
        )
    assert '"content":"Добрый день, 田中さん"' in text_of(result)


EVERY_TOOL: list[tuple[str, dict[str, Any]]] = [
    ("create_conversation", PAIR),
    ("escalate_to_human", {"conversation_id": 4, "summary": "s", "priority": "high"}),
    ("reply_to_conversation", {"conversation_id": 4, "content": "Hello"}),
    ("add_private_note", {"conversation_id": 4, "content": "Hello"}),
    ("get_conversation", {"conversation_id": 4}),
    ("find_conversations", {}),
    ("update_conversation", {"conversation_id": 4, "status": "resolved"}),
    ("find_contacts", {"query": "jane"}),
    ("save_contact", {"contact_id": 1, "name": "Jane"}),
    ("get_workspace", {}),
]


async def test_every_tools_result_is_valid_and_without_nulls(bench: Bench, era: Era) -> None:
    assert [name for name, _ in EVERY_TOOL] == [tool.name for tool in TOOLS]
    async with connected(bench, era) as client:
        schemas = {tool.name: tool.output_schema or {} for tool in (await client.list_tools()).tools}
        for name, arguments in EVERY_TOOL:
            result = await client.call_tool(name, arguments)
            assert result.is_error is False, text_of(result)
            jsonschema.validate(result.structured_content, schemas[name])
            assert ":null" not in json.dumps(result.structured_content, separators=(",", ":"))


async def test_single_tools_can_be_chosen(bench: Bench, era: Era) -> None:
    async with connected(bench, era, frozenset({"get_conversation", "find_contacts"})) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["get_conversation", "find_contacts"]
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META]["code"] == "not_allowed"


async def test_prompts_are_listed_and_filled(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        listed = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in listed] == ["escalate", "triage_inbox"]
        prompt = await client.get_prompt("escalate", {"conversation_id": "42"})
        [message] = prompt.messages
        assert isinstance(message.content, types.TextContent)
        assert "Hand conversation 42 to a person (team: not given)" in message.content.text
        for name, arguments in (("escalate", {}), ("triage_inbox", {"inbox": "1", "x": "y"}), ("nosuch", {})):
            with pytest.raises(MCPError):
                await client.get_prompt(name, arguments)


async def test_a_failure_is_text_alone_with_its_code_beside_it(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", {**PAIR, "status": "closed"})
    assert (result.is_error, result.structured_content) == (True, None)
    assert text_of(result) == ("Nothing was sent to Chatwoot. `status` must be one of open, resolved, pending.")
    meta = {key: value for key, value in (result.meta or {}).items() if key == ERROR_META}
    assert meta == {ERROR_META: {"code": "invalid_arguments", "field": "status", "retryable": False}}


async def test_chatwoots_status_and_wait_are_told_to_programs(bench: Bench, era: Era) -> None:
    bench.sandbox.faults.add(Fault("status", status=429, retry_after="300", method="POST"))
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META] == {
        "code": "rate_limited",
        "retryable": True,
        "retry_after_s": 300.0,
        "http_status": 429,
    }


@pytest.mark.parametrize("arguments", [None, {}])
async def test_a_call_without_arguments_is_told_what_is_needed(
    bench: Bench, era: Era, arguments: dict[str, Any] | None
) -> None:
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", arguments)
    assert "`inbox_id` is required" in text_of(result)


async def test_an_unknown_tool_is_an_error_of_the_protocol(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        with pytest.raises(MCPError, match=r"Unknown tool\. Known are: create_conversation") as caught:
            await client.call_tool("open_conversation", {})
    assert caught.value.error.code == types.INVALID_PARAMS


async def test_read_only_hides_writing_tools_and_refuses_them(sandbox: Sandbox, era: Era) -> None:
    bench = Bench(sandbox, policy=Policy(read_only=True))
    async with connected(bench, era) as client:
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in (await client.list_tools()).tools)
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META]["code"] == "read_only"
    assert bench.requests == []


async def test_a_toolset_that_is_off_is_hidden_and_refused(bench: Bench, era: Era) -> None:
    async with connected(bench, era, frozenset()) as client:
        assert (await client.list_tools()).tools == []
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META]["code"] == "not_allowed"
    assert "CHATWOOT_MCP_TOOLSETS" in text_of(result)


async def test_a_defect_of_ours_is_told_without_its_details(
    bench: Bench, era: Era, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def defective(*_: object) -> None:
        try:
            json.loads("canary")
        except ValueError:
            raise KeyError("canary")  # noqa: B904 - as a defect does

    broken = replace(TOOLS[0], run=defective)
    monkeypatch.setattr("chatwoot_mcp.adapter.TOOLS", (broken,))
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META] == {"code": "internal_error", "retryable": False}
    [line] = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.adapter"]
    assert re.sub(r":\d+", "", line) == (
        "unforeseen KeyError at chatwoot_mcp.adapter._call > chatwoot_tools.tool.Tool.call > "
        f"{__name__}.{defective.__qualname__} after JSONDecodeError at "
        f"{__name__}.{defective.__qualname__} > json.loads > json.decoder.JSONDecoder.decode > "
        "json.decoder.JSONDecoder.raw_decode"
    )
    assert "canary" not in text_of(result) + line


async def test_a_recursion_leaves_one_line_that_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    as_failure(caught.value)
    assert len(caplog.text) < 10_000
    assert " > ... > " in caplog.text


@pytest.mark.parametrize("written", [False, True])
async def test_a_timeout_from_anywhere_else_is_not_the_calls_deadline(
    bench: Bench, era: Era, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    async def hasty(_: Any, context: Context) -> None:
        context.budget.has_written = written
        raise TimeoutError

    monkeypatch.setattr("chatwoot_mcp.adapter.TOOLS", (replace(TOOLS[0], run=hasty),))
    async with connected(bench, era) as client:
        result = await client.call_tool("create_conversation", PAIR)
    assert (result.meta or {})[ERROR_META]["code"] == "internal_error"
    assert text_of(result) == (
        f"This server failed unexpectedly{', and does not know what was done: look before calling again' * written}. "
        "The operator finds the place in its log."
    )


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (500, "chatwoot_error")])
async def test_log_and_audit_say_of_a_failure_that_a_part_was_done_before(
    bench: Bench, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    caplog.set_level(logging.INFO)
    bench.sandbox.faults.add(Fault("status", method="POST", path="/assignments$", status=status, times=None))
    seat = Seat(bench.desk, frozenset({"core"}))
    server = build_server_for(lambda _: seat, seat.toolsets, (log_call, audit_call))
    async with in_own_task(Client(server)) as client:
        result = await client.call_tool(
            "update_conversation", {"conversation_id": 5, "status": "resolved", "team": "support"}
        )
        assert text_of(result).endswith("Changed before that: status.")
        assert (result.meta or {})[ERROR_META]["partial"] is True
        await client.call_tool("update_conversation", {"conversation_id": 5, "team": "support", "priority": "low"})
    for name in ("calls", "audit"):
        lines = [each.getMessage() for each in caplog.records if each.name == f"chatwoot_mcp.{name}"]
        assert [(f"outcome={code} " in line, line.endswith(" partial=yes")) for line in lines] == [
            (True, True),
            (True, False),
        ]


async def test_one_log_line_per_call_and_no_argument_in_it(
    bench: Bench, era: Era, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "chatwoot_mcp")
    async with connected(bench, era) as client:
        await client.call_tool("create_conversation", {**PAIR, "message": {"content": "canary"}})
        await client.call_tool("create_conversation", {**PAIR, "source_id": "canary-source"})
        await client.call_tool("create_conversation", {"canary": "canary"})
    lines = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.calls"]
    assert [line.partition(" ms=")[0] for line in lines] == [
        "tool=create_conversation outcome=created",
        "tool=create_conversation outcome=created",
        "tool=create_conversation outcome=invalid_arguments",
    ]
    counts = [re.sub(r" ms=\d+|id=\w{16}$", "", line).partition(" requests")[2] for line in lines]
    assert counts == [
        "=3 answers=200,200,200 ",
        "=1 answers=200 ",
        "=0 answers=- ",
    ]
    assert "canary" not in caplog.text.replace("canary-token", "")


async def test_many_calls_at_once_each_get_their_own_answer(bench: Bench, era: Era) -> None:
    async with connected(bench, era) as client:
        results = await asyncio.gather(
            *(client.call_tool("create_conversation", {"inbox_id": 2, "contact_id": 7 + n % 20}) for n in range(60))
        )
    shown: list[dict[str, Any]] = [(result.structured_content or {})["conversation"] for result in results]
    assert [each["contact"]["id"] for each in shown] == [7 + n % 20 for n in range(60)]
    assert len({each["id"] for each in shown}) == 60
