"""What hosts are shown of each tool: portable to every model provider, small, and changed only on purpose.

The snapshots in ``tests/snapshots`` are written anew with ``uv run python tests/server/test_schemas.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import mcp_types as types
import pytest

from chatwoot_mcp.adapter import describe, json_of
from chatwoot_mcp.instructions import INSTRUCTIONS
from chatwoot_mcp.offers import AnyTool
from chatwoot_tools.registry import TOOLS

SNAPSHOTS: Final = Path(__file__).parents[1] / "snapshots"
BROKEN_SOMEWHERE: Final = {
    "$ref", "$defs", "oneOf", "anyOf", "allOf", "not", "if", "const", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "prefixItems", "discriminator", "title", "ge", "le",
}  # fmt: skip
"""Keywords that one host or provider or another refuses, with all tools of the server at times."""
LIMIT: Final = 3_500
IN_ALL: Final = 12_000
"""Bytes of compact JSON that a model is shown, its name, description and input: of one tool, and of all."""
WHOLE_LIST: Final = 48_000
"""Bytes with what programs are shown beside it."""

ANYTHING: Final = {"description": "Any JSON value."}
"""What Chatwoot itself leaves open. Never an argument."""

every_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def shown(tool: AnyTool) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(json_of(describe(tool))))


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from schemas_in(inner)
    if "items" in schema:
        yield from schemas_in(schema["items"])


@every_tool
def test_the_tool_is_what_it_was(tool: AnyTool) -> None:
    assert shown(tool) == json.loads((SNAPSHOTS / f"{tool.name}.json").read_text(encoding="utf-8"))


def test_no_snapshot_is_left_of_a_tool_that_is_gone() -> None:
    assert {file.stem for file in SNAPSHOTS.glob("*.json")} == {tool.name for tool in TOOLS}


@every_tool
def test_the_schemas_use_nothing_that_some_host_refuses(tool: AnyTool) -> None:
    listed = shown(tool)
    for root in (listed["inputSchema"], listed["outputSchema"]):
        assert root["type"] == "object"
        for schema in schemas_in(root):
            assert schema.keys().isdisjoint(BROKEN_SOMEWHERE)
            assert isinstance(schema.get("type"), str) or (root is listed["outputSchema"] and schema == ANYTHING)
            assert set(schema.get("enum", ())) == {value for value in schema.get("enum", ()) if isinstance(value, str)}
            assert None not in schema.get("enum", ())


@every_tool
def test_every_argument_is_described_and_no_other_is_taken(tool: AnyTool) -> None:
    root = shown(tool)["inputSchema"]
    for schema in schemas_in(root):
        if "properties" in schema:
            assert schema["additionalProperties"] is False
            assert all(inner.get("description") for inner in schema["properties"].values())


@every_tool
def test_names_and_texts_fit_every_host(tool: AnyTool) -> None:
    assert re.fullmatch(r"[a-z_]{1,40}", tool.name)
    assert len(tool.description.encode()) < 2_000
    assert len(INSTRUCTIONS.encode()) < 2_000


@every_tool
def test_only_formats_that_every_provider_takes_are_named(tool: AnyTool) -> None:
    listed = shown(tool)
    for root in (listed["inputSchema"], listed["outputSchema"]):
        assert {schema["format"] for schema in schemas_in(root) if "format" in schema} <= {"date-time"}


@every_tool
def test_whatever_is_required_is_a_property(tool: AnyTool) -> None:
    listed = shown(tool)
    for root in (listed["inputSchema"], listed["outputSchema"]):
        for schema in schemas_in(root):
            assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()


@every_tool
def test_an_output_names_all_that_there_may_be_and_stays_open_for_more(tool: AnyTool) -> None:
    root = shown(tool)["outputSchema"]
    assert list(root["properties"]) == list(tool.output.model_fields)
    assert not any(schema.get("additionalProperties") is False for schema in schemas_in(root))


@every_tool
def test_an_argument_with_fields_names_them_in_its_description(tool: AnyTool) -> None:
    for schema in schemas_in(shown(tool)["inputSchema"]):
        for name, inner in schema.get("properties", {}).items():
            assert all(field in inner["description"] for field in inner.get("properties", ())), name


def shown_to_models(tool: AnyTool) -> int:
    seen = {key: value for key, value in shown(tool).items() if key in {"name", "description", "inputSchema"}}
    return len(json.dumps(seen, separators=(",", ":"), ensure_ascii=False).encode())


@every_tool
def test_the_tool_is_small(tool: AnyTool) -> None:
    assert shown_to_models(tool) <= LIMIT


def test_the_whole_list_is_small() -> None:
    core = [tool for tool in TOOLS if tool.toolset == "core"]
    listed = types.ListToolsResult(tools=[describe(tool) for tool in core])
    text = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert sum(shown_to_models(tool) for tool in core) <= IN_ALL
    assert len(text.encode()) <= WHOLE_LIST


def write_snapshots() -> None:
    SNAPSHOTS.mkdir(exist_ok=True)
    for file in SNAPSHOTS.glob("*.json"):
        file.unlink()
    for tool in TOOLS:
        text = json.dumps(shown(tool), indent=2, ensure_ascii=False) + "\n"
        (SNAPSHOTS / f"{tool.name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_snapshots()
