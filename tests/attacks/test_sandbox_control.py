"""Web pages that reach for the embedded Chatwoot of whoever looks at them."""

from __future__ import annotations

import httpx
import pytest

from chatwoot_sandbox import Fault, Sandbox, serve

RULE = {"kind": "status", "status": 503, "times": None}
ENDPOINTS = [
    ("POST", "/sandbox/faults"),
    ("DELETE", "/sandbox/faults"),
    ("GET", "/sandbox/requests"),
    ("POST", "/sandbox/settle"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:6274"},
        {"host": "evil.test"},
        {"host": "evil.test:3000", "origin": "http://evil.test:3000"},
        {"host": "127.0.0.1.evil.test"},
        {"host": "evil@127.0.0.1"},
        {"host": "127.0.0.1@evil.test"},
    ],
    ids=str,
)
async def test_no_web_page_reaches_the_control_endpoints(
    sandbox: Sandbox, method: str, path: str, headers: dict[str, str]
) -> None:
    kept = Fault("status", status=503, path="^/never$", times=None)
    sandbox.faults.add(kept)
    async with serve(sandbox) as base_url, httpx.AsyncClient(base_url=base_url) as page:
        answer = await page.request(method, path, json=RULE if path.endswith("faults") else None, headers=headers)
        assert (answer.status_code, answer.content) == (403, b"")
        assert (await page.get("/api")).status_code == 200


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_whoever_runs_it_does(sandbox: Sandbox, method: str, path: str) -> None:
    async with serve(sandbox) as base_url, httpx.AsyncClient(base_url=base_url) as owner:
        for headers in ({}, {"origin": base_url}, {"host": "localhost"}):
            answer = await owner.request(method, path, json=RULE if path.endswith("faults") else None, headers=headers)
            assert answer.is_success
