"""A web app on a sandbox, without sockets of its own, and clients for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from chatwoot_mcp.settings import read_settings
from chatwoot_mcp.web.app import build_app
from chatwoot_sandbox import Sandbox, serve
from support import in_own_task

HERE = "http://127.0.0.1:8080"
CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@asynccontextmanager
async def web_app(sandbox: Sandbox, *, token: str = "sandbox-admin", **settings: str) -> AsyncGenerator[Starlette]:
    """The app with these settings (names without CHATWOOT_MCP_), its Chatwoot the sandbox over sockets."""
    async with serve(sandbox) as base_url, replica(base_url, token=token, **settings) as app:
        yield app


@asynccontextmanager
async def replica(base_url: str, *, token: str = "sandbox-admin", **settings: str) -> AsyncGenerator[Starlette]:
    """The same, for a Chatwoot that runs already."""
    environ = {f"CHATWOOT_MCP_{name.upper()}": value for name, value in settings.items()}
    environ |= {"CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": token}
    app = build_app(read_settings(environ, needs_token=False))
    async with in_own_task(app.router.lifespan_context(app)):
        yield app


def http(app: Starlette, **headers: str) -> httpx2.AsyncClient:
    """A client of the app; ``x_chatwoot_token="…"`` becomes that header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=HERE, headers={**JSON, **named})


@asynccontextmanager
async def client_of(app: Starlette, mode: Literal["auto", "legacy"] = "auto", **headers: str) -> AsyncGenerator[Client]:
    async with http(app, **headers) as transport:
        connection = streamable_http_client(f"{HERE}/mcp", http_client=transport)
        async with in_own_task(Client(connection, mode=mode)) as client:
            yield client
