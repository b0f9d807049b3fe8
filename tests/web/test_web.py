"""MCP over HTTP in both eras: who may call, with what, and what others are told."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final, Literal

import mcp_types as types
import pytest
from starlette.applications import Starlette

from aiochatwoot import Budget
from chatwoot_mcp.web import bodies, desks
from chatwoot_mcp.web.callers import Caller
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Desk
from chatwoot_tools.registry import TOOLS
from support import Bench
from web.web import CALL, HERE, client_of, http, web_app

Era = Literal["auto", "legacy"]
ERAS: list[Era] = ["auto", "legacy"]
PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}
eras = pytest.mark.parametrize("era", ERAS)


@eras
async def test_a_conversation_is_opened_over_http(sandbox: Sandbox, era: Era) -> None:
    async with web_app(sandbox) as app, client_of(app, era) as client:
        assert len((await client.list_tools()).tools) == 10
        result = await client.call_tool("create_conversation", PAIR)
    assert content(result)["outcome"] == "created"


async def test_without_a_key_where_one_is_needed_nothing_is_told(
    sandbox: Sandbox, callers_file: GrantsFile, key: str, tmp_path: Path
) -> None:
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app:
        for headers, error in [
            ({}, None),
            ({"authorization": "Bearer nonsense"}, "invalid_token"),
            ({"authorization": f"Bearer {key}x"}, "invalid_token"),
            ({"authorization": f"Basic {key}"}, "invalid_request"),
            ({"authorization": "Bearer "}, "invalid_request"),
        ]:
            async with http(app, **headers) as client:
                answer = await client.post("/mcp", json=CALL)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == (f'Bearer error="{error}"' if error else "Bearer")
            assert len(answer.content) < 200
        async with http(app, authorization=f"Bearer {key}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 200
        callers_file.revoke("helpdesk")
        async with http(app, authorization=f"Bearer {key}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 401
        (tmp_path / "callers.json").unlink()
        async with http(app, authorization=f"Bearer {key}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 503
    assert sandbox.requests == []


async def test_two_authorization_headers_are_one_too_many(sandbox: Sandbox, key: str, tmp_path: Path) -> None:
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app, http(app) as client:
        twice = [("authorization", f"Bearer {key}"), ("authorization", "Bearer x"), *client.headers.items()]
        assert (await client.post("/mcp", json=CALL, headers=twice)).status_code == 400


@eras
async def test_a_keys_own_policy_holds_within_that_of_the_server(
    sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path, era: Era
) -> None:
    reader = callers_file.add(Grant(name="reader", read_only=True))
    narrow = callers_file.add(Grant(name="narrow", inboxes=frozenset({3}), toolsets=frozenset({"create_conversation"})))
    path = str(tmp_path / "callers.json")
    async with web_app(sandbox, callers_file=path, allowed_inboxes="2,3") as app:
        async with client_of(app, era, authorization=f"Bearer {reader}") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            refused = await client.call_tool("create_conversation", PAIR)
        assert "create_conversation" not in names
        assert code(refused) == "read_only"
        async with client_of(app, era, authorization=f"Bearer {narrow}") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["create_conversation"]
            assert code(await client.call_tool("create_conversation", PAIR)) == "not_allowed"
            assert code(await client.call_tool("find_contacts", {"query": "jane"})) == "not_allowed"
            assert (
                code(await client.call_tool("create_conversation", {"inbox_id": 1, "contact_id": 1})) == "not_allowed"
            )
            opened = await client.call_tool("create_conversation", {"inbox_id": 3, "contact_id": 1})
    assert content(opened)["outcome"] == "created"


def content(result: types.CallToolResult) -> dict[str, Any]:
    return result.structured_content or {}


def code(result: types.CallToolResult) -> str | None:
    failure: dict[str, Any] = (result.meta or {}).get("chatwoot/error", {})
    return failure.get("code")


async def test_a_key_acts_with_its_own_chatwoot_token(
    sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path
) -> None:
    (tmp_path / "agent").write_text("sandbox-agent\n", encoding="utf-8")
    agent = callers_file.add(Grant(name="agent", token_file=tmp_path / "agent"))
    gone = callers_file.add(Grant(name="gone", token_file=tmp_path / "nowhere"))
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app:
        async with client_of(app, authorization=f"Bearer {agent}") as client:
            me = content(await client.call_tool("get_workspace", {"include": ["inboxes"]}))
        async with http(app, authorization=f"Bearer {gone}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 503
    assert me["me"]["email"] == "bob@acme.test"


async def test_a_caller_may_bring_its_own_token_where_the_settings_allow(
    sandbox: Sandbox, key: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "callers.json")
    async with (
        web_app(sandbox, callers_file=path) as app,
        http(app, authorization=f"Bearer {key}", x_chatwoot_token="sandbox-agent") as client,
    ):
        assert (await client.post("/mcp", json=CALL)).status_code == 403
    async with web_app(sandbox, caller_tokens="1", token="") as app:
        async with http(app) as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 401
        async with client_of(app, x_chatwoot_token="sandbox-agent") as client:
            me = content(await client.call_tool("get_workspace", {"include": ["inboxes"]}))
        async with client_of(app, x_chatwoot_token="nobody's") as client:
            assert code(await client.call_tool("create_conversation", PAIR)) == "token_invalid"
    assert me["me"]["email"] == "bob@acme.test"
    async with web_app(sandbox, callers_file=path, caller_tokens="1", token="") as app:
        async with http(app, authorization=f"Bearer {key}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 403  # no token at all for it
        async with client_of(app, authorization=f"Bearer {key}", x_chatwoot_token="sandbox-agent") as client:
            me = content(await client.call_tool("get_workspace", {"include": ["inboxes"]}))
    assert me["me"]["email"] == "bob@acme.test"


async def test_two_callers_never_meet(sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path) -> None:
    """1,000 interleaved calls of an administrator and of an agent who may only read what is theirs."""
    (tmp_path / "agent").write_text("sandbox-agent", encoding="utf-8")
    admin = callers_file.add(Grant(name="admin"))
    agent = callers_file.add(Grant(name="agent", token_file=tmp_path / "agent", read_only=True, inboxes=frozenset({1})))
    async with (
        web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app,
        client_of(app, authorization=f"Bearer {admin}") as one,
        client_of(app, authorization=f"Bearer {agent}") as other,
    ):

        async def pair(number: int) -> tuple[Any, ...]:
            if number % 10:
                calls = [client.call_tool("get_workspace", {"include": ["inboxes"]}) for client in (one, other)]
                mine, theirs = [content(result) for result in await asyncio.gather(*calls)]
                seen = len(mine["inboxes"]) > 5, [inbox["id"] for inbox in theirs["inboxes"]]
                return mine["me"]["email"], theirs["me"]["email"], *seen
            keyed = {**PAIR, "idempotency_key": f"k{number}"}
            calls = [client.call_tool("create_conversation", keyed) for client in (one, other)]
            made, refused = await asyncio.gather(*calls)
            return content(made).get("outcome"), code(refused)

        seen: set[Any] = set()
        for begin in range(0, 500, 20):
            results = await asyncio.gather(*(pair(number) for number in range(begin, begin + 20)))
            seen |= {json.dumps(result) for result in results}
    assert seen == {
        json.dumps(["ada@acme.test", "bob@acme.test", True, [1]]),
        json.dumps(["created", "read_only"]),
    }


async def test_equal_keys_of_two_callers_are_two(sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path) -> None:
    keys = [callers_file.add(Grant(name=name)) for name in ("one", "other")]
    made: list[int] = []
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app:
        for each in keys * 2:
            async with client_of(app, authorization=f"Bearer {each}") as client:
                result = await client.call_tool("create_conversation", {**PAIR, "idempotency_key": "k"})
            made.append(content(result)["conversation"]["id"])
    assert made == [made[0], made[1], made[0], made[1]]
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"headers": {"host": "evil.test"}}, 421),
        ({"headers": {"origin": "https://evil.test"}}, 403),
        ({"content": b"x" * 5000}, 413),
        ({"content": b"{"}, 400),
        ({"content": b"[]"}, 400),
        ({"method": "PUT"}, 405),
        ({"url": "/elsewhere"}, 404),
    ],
)
async def test_bad_requests_get_the_right_status_and_little_else(
    sandbox: Sandbox, request_of: dict[str, Any], status: int
) -> None:
    async with web_app(sandbox, max_body_bytes="4096") as app, http(app) as client:
        asked: dict[str, Any] = {
            "method": "POST",
            "url": "/mcp",
            **({} if "content" in request_of else {"json": CALL}),
            **request_of,
        }
        answer = await client.request(**asked)
        assert answer.status_code == status
        assert len(answer.content) < 300
        assert (await client.post("/mcp", json=CALL)).status_code == 200


async def test_a_body_that_is_too_large_is_not_read_to_its_end_even_if_it_does_not_say_so(sandbox: Sandbox) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b"x" * 1024

    async with web_app(sandbox, max_body_bytes="4096") as app, http(app) as client:
        assert (await client.post("/mcp", content=endless())).status_code == 413


async def test_a_body_that_never_ends_is_given_up(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.1)

    async def stalling() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with web_app(sandbox) as app, http(app) as client:
        answer = await client.post("/mcp", content=stalling())
    assert answer.status_code == 408


async def test_names_beyond_loopback_are_those_of_the_settings(sandbox: Sandbox, key: str, tmp_path: Path) -> None:
    settings = {"callers_file": str(tmp_path / "callers.json"), "allowed_origins": "https://app.acme.test"}
    headers = {"origin": "https://app.acme.test", "authorization": f"Bearer {key}"}
    for allowed, host in [("mcp.acme.test", "MCP.acme.test:443"), ("*", "any.test")]:
        async with (
            web_app(sandbox, allowed_hosts=allowed, **settings) as app,
            http(app, host=host, **headers) as client,
        ):
            assert (await client.post("/mcp", json=CALL)).status_code == 200


async def test_readiness_needs_no_redis_to_be_installed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("redis", "redis.exceptions", "redis.asyncio"):
        monkeypatch.setitem(sys.modules, module, None)
    async with web_app(sandbox) as app, http(app) as ask:
        answer = await ask.get("/readyz")
    assert (answer.status_code, answer.json()["shared_state"]) == (200, "off")


async def test_operators_learn_whether_it_lives_is_ready_and_what_it_did(sandbox: Sandbox) -> None:
    async with web_app(sandbox) as app, http(app) as ask:
        assert (await ask.get("/healthz")).json()["status"] == "ok"
        assert (await ask.get("/readyz")).json() == {"status": "ok", "chatwoot": "ok", "shared_state": "off"}
        sandbox.faults.add(Fault("cut_after", method="POST", path="/conversations$"))
        async with client_of(app) as client:
            await client.call_tool("create_conversation", PAIR)
            await client.call_tool("create_conversation", {"inbox_id": 2})
        text = (await ask.get("/metrics")).text
    for line in (
        'chatwoot_mcp_calls_total{outcome="recovered",tool="create_conversation"} 1.0',
        'chatwoot_mcp_calls_total{outcome="invalid_arguments",tool="create_conversation"} 1.0',
        'chatwoot_mcp_reconciliations_total{outcome="recovered"} 1.0',
        'chatwoot_mcp_upstream_requests_total{answer="ConnectionLost"} 1.0',
        "chatwoot_mcp_in_flight 0.0",
    ):
        assert line in text


async def test_without_chatwoot_it_lives_but_is_not_ready(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("status", status=503, times=None))
    async with web_app(sandbox) as app, http(app) as ask:
        assert (await ask.get("/healthz")).status_code == 200
        answer = await ask.get("/readyz")
    assert (answer.status_code, answer.json()["chatwoot"]) == (503, "chatwoot_error")


async def test_a_chatwoot_that_is_down_is_seen_in_the_figures(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("status", status=503, times=None))
    async with web_app(sandbox) as app, http(app) as ask, client_of(app) as client:
        for _ in range(3):
            await client.call_tool("find_conversations", {})
        text = (await ask.get("/metrics")).text
        sandbox.faults.clear()
    assert "chatwoot_mcp_open_circuits 1.0" in text
    assert "chatwoot_mcp_circuit_refusals_total 1.0" in text


async def test_each_write_leaves_an_audit_line_without_content(
    sandbox: Sandbox, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app,
        client_of(app, authorization=f"Bearer {key}") as client,
    ):
        await client.call_tool("get_conversation", {"conversation_id": 4})
        await client.call_tool("reply_to_conversation", {"conversation_id": 4, "content": "canary"})
        await client.call_tool("create_conversation", {"canary": 1, "account_id": "canary", "conversation_id": True})
    lines = [record.getMessage().rpartition(" id=")[0] for record in caplog.records if record.name.endswith(".audit")]
    assert lines == [
        "who=helpdesk tool=reply_to_conversation account=- conversation=4 outcome=sent",
        "who=helpdesk tool=create_conversation account=- conversation=1 outcome=invalid_arguments",
    ]
    assert "canary" not in caplog.text
    assert key not in caplog.text


DRY: Final[dict[str, dict[str, Any]]] = {
    "add_private_note": {"conversation_id": 4, "content": "x"},
    "create_conversation": {"inbox_id": 2, "contact_id": 1},
    "escalate_to_human": {"conversation_id": 4, "summary": "x"},
    "reply_to_conversation": {"conversation_id": 4, "content": "x"},
    "save_contact": {"name": "x"},
    "update_conversation": {"conversation_id": 4, "status": "resolved"},
}


async def outcomes(app: Starlette, caplog: pytest.LogCaptureFixture, *calls: tuple[str, dict[str, Any]]) -> list[str]:
    """What the log and the audit say of each call, which is the same."""
    caplog.set_level(logging.INFO)
    async with client_of(app) as client:
        for tool, arguments in calls:
            await client.call_tool(tool, arguments)
    told = {
        name: [
            (record.__dict__["fields"]["tool"], record.__dict__["fields"]["outcome"])
            for record in caplog.records
            if record.name == f"chatwoot_mcp.{name}"
        ]
        for name in ("calls", "audit")
    }
    assert told["calls"] == told["audit"]
    assert [tool for tool, _ in told["audit"]] == [tool for tool, _ in calls]
    return [outcome for _, outcome in told["audit"]]


async def test_the_audit_says_of_every_dry_run_that_it_was_one(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    assert set(DRY) == {tool.name for tool in TOOLS if not tool.read_only}
    async with web_app(sandbox) as app:
        told = await outcomes(app, caplog, *((tool, {**given, "dry_run": True}) for tool, given in DRY.items()))
    assert told == ["dry_run"] * len(DRY)


async def test_the_audit_says_of_a_handover_whether_it_is_complete(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    call = ("escalate_to_human", {"conversation_id": 4, "summary": "x", "priority": "low"})
    sandbox.faults.add(Fault("status", method="POST", path="/messages$", status=500))
    async with web_app(sandbox) as app:
        told = await outcomes(app, caplog, call, call, ("escalate_to_human", {"conversation_id": 4}))
    assert told == ["incomplete", "complete", "invalid_arguments"]


async def test_a_json_line_of_the_log_holds_the_fields_of_the_call(caplog: pytest.LogCaptureFixture) -> None:
    from chatwoot_mcp.logs import _JsonLines  # pyright: ignore[reportPrivateUsage]
    from chatwoot_mcp.records import CallRecord, log_call

    caplog.set_level(logging.INFO)
    log_call(CallRecord("t", "ok", 1.5, 1, ("200",), "ab", "helpdesk", False, True, 1, 2))
    line = json.loads(_JsonLines().format(caplog.records[-1]))
    assert {key: line[key] for key in ("tool", "outcome", "caller", "id", "answers")} == {
        "tool": "t",
        "outcome": "ok",
        "caller": "helpdesk",
        "id": "ab",
        "answers": ["200"],
    }


async def test_many_callers_do_not_fill_the_memory(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may bring a token of its own may bring any number of them."""
    monkeypatch.setattr(desks, "MOST", 3)
    opened: list[str] = []
    closed: list[str] = []

    def open_desk(caller: Caller) -> Desk:
        async def aclose() -> None:
            closed.append(caller.token)

        opened.append(caller.token)
        desk = Bench(sandbox).desk
        monkeypatch.setattr(desk.client, "aclose", aclose)
        return desk

    kept = desks.Desks(open_desk)
    with kept.seat(Caller("a", "a")) as busy:
        for name in "bcdefb":
            with kept.seat(Caller(name, name)):
                pass
        await asyncio.sleep(0)
        assert opened == ["a", "b", "c", "d", "e", "f", "b"]
        assert closed == ["b", "c", "d", "e"]
        with kept.seat(Caller("a", "a")) as again:
            assert again.desk is busy.desk  # its keys and its cache go on to count
    await kept.aclose()
    assert sorted(closed) == ["a", "b", "b", "c", "d", "e", "f"]


async def test_the_last_write_of_a_caller_is_waited_for_however_many_came_after(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "MOST", 0)
    kept = desks.Desks(lambda _: Bench(sandbox).desk)
    go_on, done = asyncio.Event(), list[str]()

    async def work(budget: Budget) -> None:
        budget.has_written = True
        await go_on.wait()
        done.append("written")

    with kept.seat(Caller("a", "a")) as seat:
        budget = Budget(60)
        call = asyncio.create_task(seat.desk.run_write(work(budget), budget))
        await asyncio.sleep(0)
    call.cancel()
    for name in "bc":
        with kept.seat(Caller(name, name)):
            pass
    closing = asyncio.create_task(kept.aclose())
    await asyncio.gather(call, return_exceptions=True)
    assert not closing.done()
    go_on.set()
    await closing
    assert done == ["written"]


async def test_more_callers_at_once_than_desks_are_kept_for_are_all_answered(
    sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them not for the first time: their desks have connections, which closing one would close."""
    monkeypatch.setattr(desks, "MOST", 12)
    keys = [callers_file.add(Grant(name=f"caller-{number}")) for number in range(24)]
    message: dict[str, Any] = {
        **CALL,
        "method": "tools/call",
        "params": {"name": "find_conversations", "arguments": {}},
    }
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app, http(app) as client:
        for some in (keys[:12], keys):
            sent = [client.post("/mcp", json=message, headers={"authorization": f"Bearer {key}"}) for key in some]
            answers = [answer.json()["result"] for answer in await asyncio.gather(*sent)]
            assert [answer["isError"] for answer in answers] == [False] * len(some), answers


def test_here_is_where_the_documents_say() -> None:
    assert HERE == "http://127.0.0.1:8080"
