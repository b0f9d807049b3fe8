"""The token leaves the process in one header to Chatwoot, and shows up nowhere else."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Final

import httpx
import pytest

from aiochatwoot import Chatwoot, Transport
from chatwoot_mcp.adapter import failed
from chatwoot_mcp.app import open_desk
from chatwoot_mcp.errors import as_failure
from chatwoot_mcp.settings import read_settings
from chatwoot_sandbox import Fault, Sandbox, serve
from chatwoot_tools.registry import TOOLS

CANARY: Final = "canary-9f3a77"
CREATE: Final = TOOLS[0]
FAULTS: Final = [
    None,
    Fault("status", status=401, times=None),
    Fault("status", status=422, times=None),
    Fault("status", status=500, times=None),
    Fault("html", times=None),
    Fault("broken", times=None),
    Fault("cut_after", times=None),
    Fault("redirect", location=f"https://elsewhere.test/?{CANARY}", times=None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind if fault else "none")
async def test_neither_results_nor_logs_nor_tracebacks_nor_reprs_nor_pages_show_it(
    sandbox: Sandbox, fault: Fault | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.store.execute("UPDATE access_tokens SET token = ? WHERE token = 'sandbox-admin'", CANARY)
    shown: list[str] = []
    async with serve(sandbox) as base_url:
        settings = read_settings(
            {"CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": CANARY, "CHATWOOT_MCP_DEADLINE_S": "2"}
        )
        async with open_desk(settings) as desk:
            if fault:
                sandbox.faults.add(fault)
            arguments = {"inbox_id": 2, "contact_id": 1, "response_format": "detailed"}
            context = desk.open_call()
            try:
                result = await CREATE.call(arguments, context)
            except Exception as error:  # noqa: BLE001 - each is looked at
                shown += [*traceback.format_exception(error), repr(error), failed(as_failure(error)).model_dump_json()]
            else:
                shown.append(result.model_dump_json())
            shown += [repr(each) for each in (settings, desk, context, desk.client, desk.cache, desk.ledger)]
        sandbox.faults.clear()
        pages = ("/app/accounts/1/conversations", "/app/accounts/1/conversations/41", "/sandbox/requests")
        async with httpx.AsyncClient(base_url=base_url) as browser:
            shown += [(await browser.get(page)).text for page in pages]
    shown.append(caplog.text)
    assert all(CANARY not in text for text in shown)
    assert len(sandbox.requests) > 0


def test_no_part_of_the_client_shows_it_in_its_repr() -> None:
    transport = Transport("https://desk.test", CANARY)
    parts = [transport, Chatwoot(transport), transport._client]  # pyright: ignore[reportPrivateUsage]
    assert all(CANARY not in json.dumps(repr(part)) for part in parts)
