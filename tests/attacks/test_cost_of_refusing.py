"""One large call, which anybody may send who may send any: refusing it costs about what parsing it has cost."""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from chatwoot_mcp.web.bodies import MOST_BRACKETS
from chatwoot_sandbox import Sandbox
from chatwoot_tools import ToolFailure
from chatwoot_tools.arguments.inputs import parse_arguments
from chatwoot_tools.registry import TOOLS
from web.web import CALL, http, web_app

SIZE: Final = 128 * 1024
"""A sixteenth of what a body may hold, so that it takes seconds: what grows faster than the body shows here too."""
TIMES_PARSING: Final = 20
MEMORY: Final = 32 * SIZE
INPUTS: Final = {tool.name: tool.input for tool in TOOLS}
ITEMS: Final = {
    "numbers": "1",
    "texts": '"a"',
    "nulls": "null",
    "objects": "{}",
    "bad objects": '{"x":1}',
    "lists": "[]",
}


def many(item: str) -> str:
    return f"[{','.join([item] * (SIZE // (len(item) + 1)))}]"


def names(value: str) -> str:
    return ",".join(f'"name{each}":{value}' for each in range(SIZE // (12 + len(value))))


VALUES: Final[dict[str, str]] = {
    **{f"a list of {kind}": many(item) for kind, item in ITEMS.items()},
    **{f"a list of {kind}, as text": json.dumps(many(item)[: SIZE // 2]) for kind, item in ITEMS.items()},
    "a list of one long object": f"[{{{names('1')}}}]",
    "many names": f"{{{names('1')}}}",
    "many numbers too large": f"{{{names('99999999999')}}}",
    "many surrogates": f"{{{names(chr(34) + chr(92) + 'ud800' + chr(34))}}}",
    "a long list inside": f'{{"k":{many("1")}}}',
    "lists inside, each nested too deep": f'{{"k":{many("[" * 40 + "]" * 40)}}}',
    "an object, as text": json.dumps(f'{{"k":{many("1")[: SIZE // 2 - 100]}1]}}'),
    "a long text": json.dumps("x" * SIZE),
    "a text of commas": json.dumps("[" + "," * (SIZE // 2)),
}


def bodies(value: str) -> Iterator[tuple[str, str]]:
    """The value for one argument of each type, and in the place of all arguments of each tool."""
    types = {
        str(field.annotation): (tool, name)
        for tool, each in INPUTS.items()
        for name, field in each.model_fields.items()
    }
    yield from ((tool, f'{{"{name}":{value}}}') for tool, name in types.values())
    if value.startswith("{"):
        yield from ((tool, value) for tool in INPUTS)


def refuse(tool: str, arguments: dict[str, Any]) -> None:
    with suppress(ToolFailure):
        parse_arguments(INPUTS[tool], arguments)


def times_parsing(tool: str, body: str) -> float:
    """How many times as long as parsing the rest takes, as the median of several; a quick look tells the cheap ones."""

    def once() -> float:
        begun = time.perf_counter()
        arguments = json.loads(body)
        for value in arguments.values():
            if isinstance(value, str) and value[0] in "{[":
                with suppress(ValueError):
                    json.loads(value)  # a JSON text is of the same bytes
        parsed = time.perf_counter()
        refuse(tool, arguments)
        return (time.perf_counter() - parsed) / (parsed - begun)

    first = once()
    return first if first < TIMES_PARSING / 2 else statistics.median(once() for _ in range(5))


@pytest.mark.parametrize("kind", VALUES)
def test_validation_takes_no_longer_than_a_few_times_the_parsing(kind: str) -> None:
    dear = {
        (tool, body[:40]): ratio
        for tool, body in bodies(VALUES[kind])
        if (ratio := times_parsing(tool, body)) > TIMES_PARSING
    }
    assert dear == {}


@pytest.mark.parametrize("kind", ["a list of numbers", "a list of objects, as text", "many names", "many surrogates"])
def test_validation_keeps_little_beside_what_was_parsed(kind: str) -> None:
    value = VALUES[kind]
    for tool, body in bodies(value):
        arguments = json.loads(body)
        gc.collect()
        tracemalloc.start()
        refuse(tool, arguments)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MEMORY, (tool, body[:40])


def test_faults_that_are_not_shown_are_counted() -> None:
    arguments = {f"name{each}": 1 for each in range(100_000)}
    with pytest.raises(ToolFailure, match=r"and 99991 more faults\.$"):
        parse_arguments(INPUTS["get_conversation"], arguments)
    attributes = {f"name{each}": 10**11 for each in range(1_000)}
    with pytest.raises(ToolFailure, match=r"and 991 more faults\.$"):
        parse_arguments(INPUTS["update_conversation"], {"custom_attributes": attributes})


def test_a_list_that_is_too_long_is_refused_before_what_it_holds() -> None:
    for tool, field in (("update_conversation", "add_labels"), ("find_contacts", "include")):
        with pytest.raises(ToolFailure, match=rf"`{field}` holds more than 100 entries"):
            parse_arguments(INPUTS[tool], {field: [1] * 101})


async def test_a_body_of_more_lists_than_anybody_needs_is_refused_before_it_is_parsed(sandbox: Sandbox) -> None:
    async with web_app(sandbox, caller_tokens="true") as app, http(app, x_chatwoot_token="made-up") as client:
        for bracket in "[{":
            answer = await client.post("/mcp", content=bracket * (MOST_BRACKETS + 1))
            assert (answer.status_code, "opening brackets" in answer.text) == (413, True)
        text = "[" * (MOST_BRACKETS - 10)
        answer = await client.post("/mcp", json={**CALL, "params": {"cursor": text}})
        assert answer.status_code != 413
