"""State that replicas share, on a real Redis."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from starlette.applications import Starlette

from aiochatwoot import Budget, errors
from aiochatwoot.circuit import FAILURES
from aiochatwoot.throttle import Limit
from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web import shared
from chatwoot_mcp.web.callers import Caller
from chatwoot_mcp.web.shared import Shared
from chatwoot_sandbox import Fault, Sandbox, serve
from chatwoot_tools.call.ledger import Record
from faults import proxy as wire
from web.services import RedisServer, redis_server
from web.web import client_of, http, replica, web_app

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}
CALLER = Caller("helpdesk", "canary-token")
CHATWOOT = "https://desk.acme.test"
DOUBT = (
    "idempotency_key: for a moment the state shared with other replicas could not be reached, so another one may have "
    "used the key meanwhile."
)
SEARCH = "/api/v1/accounts/1/contacts/search"


@pytest_asyncio.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with redis_server() as server:
        yield server


@pytest_asyncio.fixture
async def replicas(redis: RedisServer) -> AsyncGenerator[list[Shared]]:
    """What three replicas share."""
    settings = {"base_url": CHATWOOT, "api_token": "canary-token", "redis_url": redis.url}
    made = [Shared(Settings.model_validate(settings)) for _ in range(3)]
    yield made
    for each in made:
        await each.aclose()


async def create(app: Starlette, key: str) -> dict[str, Any]:
    async with client_of(app) as client:
        result = await client.call_tool("create_conversation", {**PAIR, "idempotency_key": key})
    assert not result.is_error, result.content
    return result.structured_content or {}


async def test_twenty_equal_keys_over_three_replicas_open_one_conversation(
    sandbox: Sandbox, redis: RedisServer
) -> None:
    before = len(sandbox.store.rows("SELECT id FROM conversations"))
    async with AsyncExitStack() as stack:
        # Slow enough that every call meets the others.
        sandbox.faults.add(Fault("latency", delay_s=0.1, method="POST", path="/conversations$"))
        base_url = await stack.enter_async_context(serve(sandbox))
        replicas = [await stack.enter_async_context(replica(base_url, redis_url=redis.url)) for _ in range(3)]
        results = await asyncio.gather(*(create(replicas[number % 3], "k") for number in range(20)))
    assert len(sandbox.store.rows("SELECT id FROM conversations")) == before + 1
    assert len({result["conversation"]["id"] for result in results}) == 1
    assert sorted({result["outcome"] for result in results}) == ["already_created", "created"]
    assert not any("at the same moment" in text for result in results for text in result.get("warnings", []))


async def test_when_redis_goes_calls_go_on_and_say_so_and_when_it_is_back_it_is_used_again(
    sandbox: Sandbox, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared, "AWAY_S", 0.0)
    caplog.set_level(logging.INFO)
    async with web_app(sandbox, redis_url=redis.url) as app, http(app) as ask:
        assert "warnings" not in await create(app, "a")
        assert (await ask.get("/readyz")).json()["shared_state"] == "ok"
        await redis.stop()
        told = await create(app, "b")
        assert told["outcome"] == "created"
        assert "could not be reached" in told["warnings"][-1]
        assert (await ask.get("/readyz")).json()["shared_state"] == "away"
        assert (await create(app, "b"))["outcome"] == "already_created"
        await redis.start()
        assert "warnings" not in await create(app, "c")
        assert (await ask.get("/readyz")).json()["shared_state"] == "ok"
        async with Redis.from_url(redis.url) as direct:
            assert len(await direct.keys("chatwoot-mcp:*:record:*")) == 1
    messages = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.shared"]
    assert [message.partition(":")[0].partition(" (")[0] for message in messages] == ["redis is away", "redis is back"]


async def test_readiness_asks_a_redis_that_nobody_asked_before(
    sandbox: Sandbox, redis: RedisServer, replicas: list[Shared], caplog: pytest.LogCaptureFixture
) -> None:
    assert replicas[0].state == "not_asked"
    async with web_app(sandbox, redis_url=redis.url) as app, http(app) as ask:
        assert (await ask.get("/readyz")).json()["shared_state"] == "ok"
    await redis.stop()
    async with web_app(sandbox, redis_url=redis.url) as app, http(app) as ask:
        assert (await ask.get("/readyz")).json() == {"status": "ok", "chatwoot": "ok", "shared_state": "away"}
    messages = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.shared"]
    assert [message.partition(" (")[0] for message in messages] == ["redis is away"]


async def test_readiness_waits_no_longer_for_a_redis_that_takes_connections_and_says_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "ANSWER_S", 0.05)
    silence = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with web_app(sandbox, redis_url=f"redis://127.0.0.1:{port}/0") as app, http(app) as ask:
        assert (await ask.get("/readyz")).json()["shared_state"] == "away"
    silence.set()
    silent.close()
    await silent.wait_closed()


async def test_redis_away_at_the_lock_and_back_at_the_record_is_told(
    sandbox: Sandbox, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "AWAY_S", 0.0)
    async with wire.proxy(sandbox) as there, replica(there.base_url, redis_url=redis.url) as app:
        await create(app, "a")
        there.rule = wire.first(wire.Fault("hold"), "POST", r"/conversations$")
        await redis.stop()
        call = asyncio.create_task(create(app, "b"))
        await there.met.wait()
        await redis.start()
        there.go_on.set()
        told = await call
    assert told["outcome"] == "created"
    assert told["warnings"] == [DOUBT]


async def test_a_hold_says_whether_it_held_to_the_end(
    redis: RedisServer, replicas: list[Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "AWAY_S", 0.0)
    ledger = replicas[0].ledger(CHATWOOT, CALLER)
    async with ledger.holding("k", Budget(10)) as whole:
        assert await ledger.get("k") is None
        await ledger.put("k", Record("digest", 42))
    assert whole.doubt is None
    async with ledger.holding("k", Budget(10)) as lost, Redis.from_url(redis.url) as direct:
        await direct.flushall()
    assert lost.doubt == DOUBT
    await redis.stop()
    async with ledger.holding("other", Budget(10)) as unheld:
        await redis.start()
    assert unheld.doubt == DOUBT
    async with ledger.holding("other", Budget(10)) as unread:
        await redis.stop()
        assert await ledger.get("other") is None
        await redis.start()
    assert unread.doubt == DOUBT


async def test_the_lock_of_a_key_is_one_for_all_replicas_and_ends_by_itself(
    redis: RedisServer, replicas: list[Shared]
) -> None:
    one, other = (each.ledger(CHATWOOT, CALLER) for each in replicas[:2])
    async with one.holding("k", Budget(10)):
        with pytest.raises(errors.DeadlineExceeded) as caught:
            async with other.holding("k", Budget(0.1)):
                raise AssertionError("both hold it")
        async with other.holding("another", Budget(10)):
            pass
    assert caught.value.effect is errors.Effect.NONE
    async with other.holding("k", Budget(10)):
        await other.put("k", Record("digest", 42))
    assert await one.get("k") == Record("digest", 42)
    async with Redis.from_url(redis.url) as direct:
        [name] = await direct.keys("*record*")
        assert 0 < await direct.ttl(name) <= shared.RECORD_S


async def test_a_lock_that_expired_is_not_released_for_its_new_holder(
    redis: RedisServer, replicas: list[Shared]
) -> None:
    one, other = (each.ledger(CHATWOOT, CALLER) for each in replicas[:2])
    async with Redis.from_url(redis.url) as direct, AsyncExitStack() as stack:
        async with one.holding("k", Budget(10)):
            [lock] = await direct.keys("*lock*")
            await direct.delete(lock)
            await stack.enter_async_context(other.holding("k", Budget(10)))
        assert await direct.exists(lock)


async def test_a_lock_is_held_as_long_as_its_call_takes(
    redis: RedisServer, replicas: list[Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LOCK_S", 1.5)
    one, other = (each.ledger(CHATWOOT, CALLER) for each in replicas[:2])
    async with one.holding("k", Budget(10)):
        with pytest.raises(errors.DeadlineExceeded):
            async with other.holding("k", Budget(3.0)):
                raise AssertionError("both hold it")
    async with Redis.from_url(redis.url) as direct:
        assert await direct.keys("*lock*") == []


async def test_replicas_share_the_throttle_and_callers_its_turns(replicas: list[Shared]) -> None:
    alone = [each.limits(CHATWOOT, Caller(None, "canary-token")) for each in replicas]
    waits = [await alone[n % 3].admit(SEARCH, at_most_s=100.0, insist=False) for n in range(100)]
    assert waits == [0.0] * 100
    assert await alone[0].admit(SEARCH, at_most_s=1.0, insist=False) == pytest.approx(60, abs=30)
    assert await alone[1].admit(SEARCH, at_most_s=100.0, insist=False) == pytest.approx(60, abs=30)
    assert await alone[2].admit("/api/v1/profile", at_most_s=1.0, insist=False) == 0.0
    elsewhere = replicas[0].limits("https://other.acme.test", CALLER)
    assert await elsewhere.admit(SEARCH, at_most_s=1.0, insist=False) == 0.0


async def test_over_all_replicas_no_caller_takes_more_than_it_leaves(
    redis: RedisServer, replicas: list[Shared]
) -> None:
    async def taken(name: str, token: str = "canary-token") -> int:
        limits = [each.limits(CHATWOOT, Caller(name, token)) for each in replicas]
        waits = [await limits[n % 3].admit(SEARCH, at_most_s=1.0, insist=False) for n in range(60)]
        return waits.count(0.0)

    assert [await taken(name) for name in ("one", "two", "three")] == [50, 25, 13]
    assert await taken("one", "another token") == 0
    # A turn that one waits for is no turn that another waits for.
    limits = replicas[0].limits(CHATWOOT, Caller("one", "canary-token"))
    assert await limits.admit(SEARCH, at_most_s=100.0, insist=False) == pytest.approx(60, abs=30)
    assert await taken("four") > 0
    async with Redis.from_url(redis.url) as direct:
        lives = [await direct.pttl(name) for name in await direct.keys("*:turns:*")]
    assert len(lives) == 10
    assert all(0 < life <= 120_000 for life in lives)


async def test_a_turn_that_one_limit_refuses_is_not_lost_to_the_others(
    replicas: list[Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (Limit(re.compile(""), 3), Limit(re.compile("/search$"), 1))

    def limits_for(_: str) -> tuple[Limit, ...]:
        return both

    monkeypatch.setattr(shared, "limits_for", limits_for)
    limits = replicas[0].limits(CHATWOOT, Caller(None, "canary-token"))
    asked = [SEARCH, SEARCH, SEARCH, "/api/v1/profile", "/api/v1/profile", "/api/v1/profile"]
    waits = [await limits.admit(path, at_most_s=1.0, insist=False) for path in asked]
    assert [wait < 1.0 for wait in waits] == [True, False, False, True, True, False]


async def test_replicas_share_the_circuit(replicas: list[Shared]) -> None:
    one, other = (each.limits(CHATWOOT, CALLER) for each in replicas[:2])
    for _ in range(FAILURES):
        await one.learn(errors.Unreachable("refused"))
    for each in (one, other):
        with pytest.raises(errors.CircuitOpen) as caught:
            await each.admit("/api", at_most_s=1.0, insist=False)
        assert 0 < caught.value.retry_after_s <= 5
    assert await other.admit("/api", at_most_s=1.0, insist=True) == 0.0
    await one.learn(None)
    assert await other.admit("/api", at_most_s=1.0, insist=False) == 0.0


async def test_neither_tokens_nor_keys_nor_texts_are_stored_there(sandbox: Sandbox, redis: RedisServer) -> None:
    async with web_app(sandbox, redis_url=redis.url) as app, client_of(app) as client:
        await client.call_tool(
            "reply_to_conversation", {"conversation_id": 4, "content": "canary-text", "idempotency_key": "canary-key"}
        )
    async with Redis.from_url(redis.url) as direct:
        names = await direct.keys("*")
        dumps = [await direct.dump(name) for name in names]
    assert len(names) == 1
    for stored in (*names, *dumps):
        assert b"canary" not in stored
        assert b"sandbox-admin" not in stored


async def test_without_redis_each_process_keeps_its_own() -> None:
    alone = Shared(Settings.model_validate({"base_url": CHATWOOT, "api_token": "t"}))
    assert alone.state == "off"
    async with alone.ledger(CHATWOOT, CALLER).holding("k", Budget(1)) as hold:
        assert hold.doubt is None
    assert await alone.limits(CHATWOOT, CALLER).admit(SEARCH, at_most_s=1.0, insist=False) == 0.0
    await alone.aclose()
