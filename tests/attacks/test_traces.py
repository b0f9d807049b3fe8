"""Spans, which go to whoever collects them, name nothing that a caller made up."""

from __future__ import annotations

from typing import Any

import httpx2

from web.test_deploy import needed
from web.test_process import server
from web.web import CALL, JSON
from wire import answer, wire


async def test_names_and_ids_that_a_caller_makes_up_are_in_no_span() -> None:
    needed("opentelemetry.exporter.otlp.proto.http")
    made_up: list[dict[str, Any]] = [
        {"method": "canary/method"},
        {"method": "notifications/canary"},
        {"method": "tools/call", "params": {"name": "canary_tool", "arguments": {}}},
        {"method": "prompts/get", "params": {"name": "canary_prompt"}},
        {"method": "tools/list", "params": {"name": "canary_param"}},
        {"method": "tools/list", "id": "canary-id"},
        {"method": "tools/call", "params": {"name": "get_workspace", "arguments": {"canary": 1}}},
        {"method": "prompts/get", "params": {"name": "escalate", "arguments": {"problem": "canary"}}},
    ]
    async with wire(answer()) as collector:
        async with server("--sandbox", OTEL_EXPORTER_OTLP_ENDPOINT=collector.base_url) as (process, base_url):
            async with httpx2.AsyncClient(base_url=base_url, headers=JSON) as ask:
                for each in made_up:
                    assert (await ask.post("/mcp", json={**CALL, **each})).status_code in {200, 400, 404}
            process.terminate()
            await process.communicate()
        sent = b"".join(collector.requests)
    for known in (
        b"tools/call get_workspace",
        b"tools/call unknown",
        b"prompts/get escalate",
        b"tools/list",
        b"unknown",
    ):
        assert known in sent
    assert b"canary" not in sent
