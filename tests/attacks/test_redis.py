"""Whoever writes into Redis gets nothing out of it: a record or a turn there is checked like any other input."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any, Final

import mcp_types as types
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from aiochatwoot import Budget
from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web.callers import Caller
from chatwoot_mcp.web.shared import Shared
from chatwoot_sandbox import Sandbox, serve
from chatwoot_tools.call.ledger import Record
from web.services import RedisServer, redis_server
from web.web import client_of, replica

CHATWOOT: Final = "https://desk.acme.test"
CALLER: Final = Caller("helpdesk", "token")
UNREADABLE: Final = (
    "idempotency_key: what was remembered under it in the state shared with other replicas could not be read, so an "
    "earlier call may not be known."
)
MISSING: Final = 987_654


@pytest_asyncio.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with redis_server() as server:
        yield server


@pytest_asyncio.fixture
async def shared(redis: RedisServer) -> AsyncGenerator[Shared]:
    made = Shared(Settings.model_validate({"base_url": CHATWOOT, "api_token": "token", "redis_url": redis.url}))
    yield made
    await made.aclose()


async def said(base_url: str, redis: RedisServer, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
    """What a replica says that has no memory of its own."""
    async with (
        replica(base_url, redis_url=redis.url, allowed_inboxes="2") as app,
        client_of(app) as client,
    ):
        return await client.call_tool(tool, {**arguments, "idempotency_key": "k"})


@pytest.mark.parametrize(
    ("tool", "arguments", "hidden"),
    [
        ("create_conversation", {"inbox_id": 2, "contact_id": 1}, 35),
        ("save_contact", {"email": "jane@customers.test", "name": "Jane"}, 6),
    ],
)
async def test_a_record_leads_to_nothing_that_is_hidden(
    sandbox: Sandbox, redis: RedisServer, tool: str, arguments: dict[str, Any], hidden: int
) -> None:
    texts: list[str] = []
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serve(sandbox))
        direct = await stack.enter_async_context(Redis.from_url(redis.url))
        assert not (await said(base_url, redis, tool, arguments)).is_error
        [name] = await direct.keys("*:record:*")
        record = json.loads(await direct.get(name))
        before = sandbox.store.rows("SELECT id FROM conversations")
        for made in (hidden, MISSING):
            await direct.set(name, json.dumps({**record, "id": made}))
            result = await said(base_url, redis, tool, arguments)
            assert result.is_error
            assert (result.meta or {})["chatwoot/error"] == {
                "code": "not_found",
                "field": "idempotency_key",
                "retryable": False,
            }
            texts += [block.text for block in result.content if isinstance(block, types.TextContent)]
    text = (
        "Nothing was sent. What this idempotency_key did before no longer exists, or may not be used here: use another "
        "key."
    )
    assert texts == [text, text]
    assert sandbox.store.rows("SELECT id FROM conversations") == before


BROKEN: Final = (
    *(b"", b"nonsense", b"null", b"[]", b"{}", b'"x"', b"17", b"\xff\xfe\x00", b"[" * 100_000),
    *(b'{"arguments": "x"}', b'{"id": 4}', b'{"arguments": 1, "id": 4}', b'{"arguments": "x", "id": "4"}'),
    *(b'{"arguments": "x", "id": %s}' % number for number in (b"true", b"0", b"-1", b"4.0", b"1e999", b"9" * 5_000)),
)


@pytest.mark.parametrize("value", BROKEN, ids=lambda value: value[:30].decode(errors="replace"))
async def test_a_record_that_is_none_of_ours_counts_as_absent_and_is_told(
    redis: RedisServer, shared: Shared, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = shared.ledger(CHATWOOT, CALLER)
    other = shared.ledger(CHATWOOT, CALLER)
    await other.put("k", Record("digest", 42))
    async with Redis.from_url(redis.url) as direct, ledger.holding("k", Budget(10)) as hold:
        assert await ledger.get("k") == Record("digest", 42)
        [name] = await direct.keys("*:record:*")
        await direct.set(name, value)
        assert await ledger.get("k") is None
    assert hold.doubt == UNREADABLE
    assert shared.state == "ok"
    assert "none of ours" in caplog.text


async def test_a_broken_record_fails_no_call_and_what_was_done_is_found_by_its_stamp(
    sandbox: Sandbox, redis: RedisServer
) -> None:
    asked = {"inbox_id": 2, "contact_id": 1}
    async with serve(sandbox) as base_url, Redis.from_url(redis.url) as direct:
        made = await said(base_url, redis, "create_conversation", asked)
        [name] = await direct.keys("*:record:*")
        for spoil in (("SET", name, "nonsense"), ("DEL", name), ("RPUSH", name, "of another type")):
            await direct.execute_command(*spoil)
            again = await said(base_url, redis, "create_conversation", asked)
            assert made.structured_content
            assert again.structured_content
            assert again.structured_content["outcome"] == "already_created"
            assert again.structured_content["conversation"]["id"] == made.structured_content["conversation"]["id"]


@pytest.mark.parametrize("turn", ["nonsense", "1e300", "inf", "nan", "-1e300", ""])
async def test_turns_that_are_none_of_ours_stop_no_call(redis: RedisServer, shared: Shared, turn: str) -> None:
    limits = shared.limits(CHATWOOT, CALLER)
    search = "/api/v1/accounts/1/contacts/search"
    await limits.admit(search, at_most_s=1.0, insist=False)
    async with Redis.from_url(redis.url) as direct:
        for name in await direct.keys("*:turns:*"):
            await direct.delete(name)
            await direct.execute_command("RPUSH", name, *[turn] * 5_000)
    assert await limits.admit(search, at_most_s=1.0, insist=False) == 0.0


async def test_a_circuit_that_stays_open_longer_than_ours_stops_no_call(redis: RedisServer, shared: Shared) -> None:
    limits = shared.limits(CHATWOOT, CALLER)
    async with Redis.from_url(redis.url) as direct:
        await limits.admit("/api/v1/accounts/1/contacts/search", at_most_s=1.0, insist=False)
        [name, *_] = await direct.keys("*:turns:*")
        circuit = f"{name.decode().partition(':turns:')[0]}:circuit"
        await direct.set(circuit, "open", px=10_000_000)
    assert await limits.admit("/api/v1/profile", at_most_s=1.0, insist=False) == 0.0
