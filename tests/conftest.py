"""Fixtures for all rooms."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import mcp_types as types
import pytest
from mcp import Client

from chatwoot_sandbox import Sandbox
from support import Bench, assert_said_twice


@pytest.fixture(autouse=True)
def every_result_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test calls through a client, in memory or over a wire: its result is checked for what all share."""
    call_tool = Client.call_tool

    async def checked(self: Client, *args: Any, **kwargs: Any) -> types.CallToolResult:
        result = await call_tool(self, *args, **kwargs)
        assert_said_twice(result)
        return result

    monkeypatch.setattr(Client, "call_tool", checked)


@pytest.fixture
def sandbox() -> Generator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    """An administrator's desk on a fresh sandbox."""
    return Bench(sandbox)
