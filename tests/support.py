"""What tests share: a desk on a sandbox, and a way to hold an MCP client in a fixture."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import httpx
import jsonschema
import mcp_types as types

from aiochatwoot import Chatwoot, Transport
from chatwoot_mcp.adapter import succeeded
from chatwoot_mcp.errors import as_failure
from chatwoot_sandbox import RequestRecord, Sandbox
from chatwoot_tools import Desk, Policy, ToolFailure
from chatwoot_tools.registry import TOOLS
from chatwoot_tools.schema import output_schema

BASE_URL = "http://sandbox.test"
PATIENCE_S = 120.0
"""How long a test waits for what must come. Busy machines are slow; only what never comes takes so long."""
_TOOLS = {tool.name: tool for tool in TOOLS}

T = TypeVar("T")


@dataclass
class Bench:
    """A desk on a sandbox in this process, or at ``base_url`` over sockets. ``app`` stands before the sandbox's own.

    Waits take no time; ``waits`` tells how long they would have been.
    """

    sandbox: Sandbox
    token: str = "sandbox-admin"
    policy: Policy = field(default_factory=Policy)
    request_s: float = 20.0
    base_url: str | None = None
    app: Any = None
    waits: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.transport = Transport(
            self.base_url or BASE_URL,
            self.token,
            http=None if self.base_url else httpx.ASGITransport(app=self.app or self.sandbox.app),
            request_s=self.request_s,
            sleep=self._sleep,
            rand=lambda: 0.0,
        )
        self.desk = Desk(Chatwoot(self.transport), self.policy, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self.desk.aclose()
        await self.transport.aclose()

    async def call(self, tool: str = "create_conversation", /, **arguments: Any) -> dict[str, Any]:
        """The structured content of a successful call. Raises what the tool raises."""
        result = await _TOOLS[tool].call(arguments, self.desk.open_call())
        dumped: dict[str, Any] = result.model_dump(mode="json", exclude_none=True)
        assert _validator_of(tool).is_valid(dumped), dumped  # pyright: ignore[reportUnknownMemberType]
        assert_said_twice(succeeded(dumped))
        return dumped

    async def refused(self, tool: str = "create_conversation", /, **arguments: Any) -> ToolFailure:
        """The failure of a call that must fail."""
        try:
            result = await self.call(tool, **arguments)
        except Exception as error:  # noqa: BLE001 - the adapter turns each into a failure, and so do we
            failure = as_failure(error)
            assert_stands_by_itself(failure)
            return failure
        raise AssertionError(f"it succeeded: {result}")

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of each request that reached the sandbox."""
        return [(each.method, each.path) for each in self.sandbox.requests]

    @property
    def writes(self) -> list[RequestRecord]:
        """The creates that reached the sandbox."""
        return [
            each for each in self.sandbox.requests if each.method == "POST" and each.path.endswith("/conversations")
        ]

    def conversations(self) -> int:
        """How many conversations there are in all accounts."""
        return len(self.sandbox.store.rows("SELECT id FROM conversations"))

    def messages(self, display_id: int) -> list[str]:
        """The contents of a conversation's messages in account 1, oldest first."""
        query = (
            "SELECT m.content FROM messages m JOIN conversations c ON c.id = m.conversation_id "
            "WHERE c.account_id = 1 AND c.display_id = ? ORDER BY m.id"
        )
        return [str(row["content"]) for row in self.sandbox.store.rows(query, display_id)]


@dataclass
class Interrupted(Bench):
    """A bench on which something happens between the first look for a lost answer and the second."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def _sleep(self, seconds: float) -> None:
        await super()._sleep(seconds)
        if self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            await happening()


@cache
def _validator_of(tool: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(output_schema(_TOOLS[tool].output))


def assert_said_twice(result: types.CallToolResult) -> None:
    """A success is one text, the compact JSON of its structured content; a failure is text alone."""
    [block] = result.content
    assert isinstance(block, types.TextContent)
    if result.is_error:
        assert block.text
        assert result.structured_content is None
    else:
        assert block.text == json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))


def assert_stands_by_itself(failure: ToolFailure) -> None:
    """What programs read beside the text is in the text as well: many clients show nothing else."""
    text = failure.text.casefold()
    assert text.endswith((".", "?")), failure.text
    if failure.field is not None:
        named = failure.field.rpartition(".")[2].removesuffix("_id").casefold()
        assert named in text or named.replace("_", " ") in text or (named == "assignee" and "agent" in text)
    if failure.retry_after_s is not None:
        assert f"{failure.retry_after_s:.0f} seconds" in text
    elif failure.retryable:
        assert "again" in text


def bare_environment() -> dict[str, str]:
    """Nearly empty, as hosts give it; what measures coverage is let through."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("COV")}


@asynccontextmanager
async def in_own_task(manager: AbstractAsyncContextManager[T]) -> AsyncGenerator[T]:
    """Enter and leave a context manager in one task: anyio's scopes must not be left in another than they began in."""
    ready: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def own() -> None:
        try:
            async with manager as value:
                ready.set_result(value)
                await done.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    task = asyncio.create_task(own())
    try:
        yield await ready
    finally:
        done.set()
        await task
