"""Chatwoot counts what an address sends per account, and knows no keys of ours: one caller could use up everybody's."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette

from aiochatwoot.throttle import LIMITS, Limit
from chatwoot_mcp.web import shared
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Sandbox
from web.services import redis_server
from web.web import client_of, web_app


@pytest.fixture(autouse=True)
def _as_beyond_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox listens on loopback, where Chatwoot throttles nothing."""

    def limits_for(_: str) -> tuple[Limit, ...]:
        return LIMITS

    monkeypatch.setattr(shared, "limits_for", limits_for)


async def searches(app: Starlette, key: str, calls: int) -> int:
    """How many of them were not refused."""
    async with client_of(app, authorization=f"Bearer {key}") as client:
        results = [await client.call_tool("find_contacts", {"query": f"nobody {n}"}) for n in range(calls)]
    refused = [result for result in results if result.is_error]
    assert all("No more requests" in str(result.content) for result in refused)
    return calls - len(refused)


def seen(sandbox: Sandbox) -> int:
    return sum(bool(re.search("/contacts/search$", each.path)) for each in sandbox.requests)


@pytest.mark.parametrize("with_redis", [False, True])
async def test_three_keys_together_search_no_more_than_chatwoot_allows_and_each_gets_its_share(
    sandbox: Sandbox, callers_file: GrantsFile, tmp_path: object, with_redis: bool
) -> None:
    keys = [callers_file.add(Grant(name=name)) for name in ("greedy", "second", "third")]
    settings = {"callers_file": f"{tmp_path}/callers.json"}
    if with_redis:
        async with redis_server() as redis, web_app(sandbox, **settings, redis_url=redis.url) as app:
            done = [await searches(app, key, 60) for key in keys]
    else:
        async with web_app(sandbox, **settings) as app:
            done = [await searches(app, key, 60) for key in keys]
    assert seen(sandbox) <= 100
    assert done == [50, 25, 13]


async def test_where_there_is_one_caller_it_has_all_that_chatwoot_allows(sandbox: Sandbox) -> None:
    async with web_app(sandbox) as app, client_of(app) as client:
        results = [await client.call_tool("find_contacts", {"query": f"nobody {n}"}) for n in range(110)]
    assert [result.is_error for result in results] == [False] * 100 + [True] * 10
    assert seen(sandbox) == 100
