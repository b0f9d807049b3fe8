"""A sandbox's API, asked as an administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from chatwoot_sandbox import Sandbox


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"api_access_token": "sandbox-admin", "Accept": "application/json"}
    transport = httpx.ASGITransport(app=sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        yield client
