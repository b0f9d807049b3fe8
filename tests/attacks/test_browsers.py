"""What web pages get to see, in a real browser: headless Chromium."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from attacks.test_http_attacks import served
from chatwoot_sandbox import Sandbox
from support import PATIENCE_S
from web.issuer import AUDIENCE, ISSUER
from web.services import installed
from web.web import CALL, JSON, http, web_app
from wire import answer, wire

NEW: Final = "2026-07-28"
OLD: Final = "2025-11-25"
SHOWN: Final = ("www-authenticate", "mcp-session-id")
PAGE: Final = """<!doctype html><script>
const ask = async ([url, options]) => {
  try {
    const got = await fetch(url, options);
    const shown = Object.fromEntries(SHOWN.filter((name) => got.headers.has(name)).map((name) => [name, true]));
    return {status: got.status, shown, text: await got.text()};
  } catch (error) { return {blocked: error.name}; }
};
(async () => {
  const told = [];
  for (const each of REQUESTS) told.push(await ask(each));
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script>"""
"""Asks one after the other, and tells its own server what came of it."""


def post(url: str, message: dict[str, Any], **headers: str) -> tuple[str, dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return url, {"method": "POST", "headers": {**JSON, **named}, "body": json.dumps(message)}


def requests(base_url: str, key: str) -> list[tuple[str, dict[str, Any]]]:
    """As clients of both eras send them, with a key and without, and what else a page might ask."""
    url, bearer = f"{base_url}/mcp", f"Bearer {key}"
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    new: dict[str, Any] = {**CALL, "params": {"_meta": meta}}
    about = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}}
    hello = {**CALL, "method": "initialize", "params": about}
    old = {"authorization": bearer, "mcp-protocol-version": OLD, "mcp-session-id": "s", "last-event-id": "1"}
    return [
        post(url, new, authorization=bearer, mcp_protocol_version=NEW, mcp_method="tools/list", traceparent="00-0-0-0"),
        post(url, hello, authorization=bearer),
        post(url, CALL, **old),
        post(url, CALL),
        (url, {"headers": {**old, "accept": "text/event-stream"}}),
        (url, {"method": "DELETE", "headers": old}),
        (f"{base_url}/.well-known/oauth-protected-resource/mcp", {"headers": {"mcp-protocol-version": OLD}}),
        (f"{base_url}/metrics", {}),
    ]


@dataclass
class Page:
    """A web page at a port of its own, which makes its requests when a browser looks at it."""

    port: int
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    told: asyncio.Future[list[dict[str, Any]]] = field(default_factory=asyncio.Future[list[dict[str, Any]]])

    async def serve(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        if head.startswith(b"POST /told"):
            self.told.set_result(json.loads(body))
        names = {"SHOWN": SHOWN, "REQUESTS": self.requests}
        script = "".join(f"const {name} = {json.dumps(value)};" for name, value in names.items())
        writer.write(answer(PAGE.replace("<script>", f"<script>{script}").encode(), content_type="text/html"))
        await writer.drain()

    async def seen_by(
        self, folder: Path, name: str, requests: list[tuple[str, dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """What became of the requests of the page, under this name."""
        self.requests, self.told = requests, asyncio.Future()
        async with asyncio.timeout(PATIENCE_S), chromium(f"http://{name}:{self.port}/", folder):
            return await self.told


@asynccontextmanager
async def page() -> AsyncGenerator[Page]:
    made = Page(0)
    async with wire(made.serve) as there:
        made.port = urlsplit(there.base_url).port or 0
        yield made


@asynccontextmanager
async def chromium(address: str, folder: Path) -> AsyncGenerator[None]:
    """Looks at a page. All names under .test are this machine."""
    process = await asyncio.create_subprocess_exec(
        installed("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--no-proxy-server",
        "--host-resolver-rules=MAP *.test 127.0.0.1",
        f"--user-data-dir={folder}/chromium",
        address,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.long
async def test_in_a_browser_pages_of_allowed_origins_read_the_answers_and_no_others_do(
    sandbox: Sandbox, tmp_path: Path, key: str
) -> None:
    async with page() as there:
        settings = {
            "callers_file": str(tmp_path / "callers.json"),
            "allowed_origins": f"http://agent.test:{there.port}",
            "oauth_issuer": ISSUER,
            "oauth_jwks_url": "http://127.0.0.1:9/jwks.json",
            "public_url": AUDIENCE,
        }
        async with served(sandbox, **settings) as port:
            asked = requests(f"http://127.0.0.1:{port}", key)
            allowed = await there.seen_by(tmp_path, "agent.test", asked)
            strangers = await there.seen_by(tmp_path, "evil.test", asked)
            neighbours = await there.seen_by(tmp_path, "localhost", asked)
    blocked = {"blocked": "TypeError"}
    assert [each.get("status") for each in allowed] == [200, 200, 200, 401, 405, 405, 200, None]
    assert all("create_conversation" in each["text"] or "serverInfo" in each["text"] for each in allowed[:3])
    assert allowed[3]["shown"] == {"www-authenticate": True}
    assert allowed[-1] == blocked
    assert strangers == [blocked] * 8
    assert neighbours == [blocked] * 8
    assert sandbox.requests == []


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://App.acme.test", True), ("https://app.evil.test", False), ("null", False)]
)
async def test_a_preflight_needs_no_key_and_lets_allowed_origins_alone_send_any_header_of_mcp(
    sandbox: Sandbox, tmp_path: Path, origin: str, allowed: bool
) -> None:
    asked = "authorization, content-type, mcp-method, mcp-name, mcp-param-x, mcp-protocol-version, mcp-session-id"
    preflight = {
        "origin": origin.lower(),
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    settings = {"callers_file": str(tmp_path / "callers.json"), "allowed_origins": "https://App.acme.test"}
    async with web_app(sandbox, **settings) as app, http(app) as ask:
        got = await ask.options("/mcp", headers=preflight)
        rebound = await ask.options("/mcp", headers={**preflight, "host": "evil.test"})
    assert (got.status_code, rebound.status_code) == (200 if allowed else 403, 421)
    given = {name: value for name, value in got.headers.items() if name.startswith("access-control-")}
    assert given.get("access-control-allow-origin") == (origin.lower() if allowed else None)
    assert given.get("access-control-allow-headers") == (asked if allowed else None)
    assert "access-control-allow-credentials" not in given
