"""What HTTP allows and we do not, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from chatwoot_mcp.settings import read_settings
from chatwoot_mcp.web.app import build_app
from chatwoot_mcp.web.limits import HEAD_BYTES
from chatwoot_mcp.web.serve import uvicorn_options
from chatwoot_sandbox import Sandbox, serve
from web.services import free_port, listening
from web.web import CALL, http, web_app

BODY = json.dumps(CALL).encode()
COMMON = b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n"
WHOLE = COMMON + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
POST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)


@asynccontextmanager
async def served(sandbox: Sandbox, **settings: str) -> AsyncGenerator[int]:
    """The port of a server."""
    port = free_port()
    async with serve(sandbox) as chatwoot:
        given = {f"CHATWOOT_MCP_{name.upper()}": value for name, value in settings.items()}
        given |= {"CHATWOOT_BASE_URL": chatwoot, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        read = read_settings(given)
        running = uvicorn.Server(uvicorn.Config(build_app(read), **uvicorn_options(read, "127.0.0.1", port)))
        running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(running.serve())
        await listening(port)
        try:
            yield port
        finally:
            running.should_exit = True
            await task


async def answer_to(port: int, request: bytes) -> bytes:
    """The status line and all that follows it; empty where the connection was closed without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        await writer.drain()
    received = b""
    with contextlib.suppress(ConnectionError):
        received = await reader.read()
    writer.close()
    return received


async def test_a_plain_request_is_answered(sandbox: Sandbox) -> None:
    async with served(sandbox) as port:
        host = b"Host: 127.0.0.1:%d\r\n" % port
        for request in (
            b"POST /mcp HTTP/1.1\r\n" + host + WHOLE,
            b"POST /mcp/ HTTP/1.1\r\n" + host + WHOLE,
            b"POST /mcp HTTP/1.1\r\n" + host + COMMON + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED + b"\r\n",
        ):
            assert (await answer_to(port, request)).startswith(b"HTTP/1.1 200"), request


ODD = {
    "both a length and an encoding": (
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" + COMMON
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED + b"\r\n"
    ),
    "two hosts": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test\r\n" + WHOLE,
    "no host": b"POST /mcp HTTP/1.1\r\n" + WHOLE,
    "two origins": (
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://localhost\r\nOrigin: http://evil.test\r\n" + WHOLE
    ),
    "a whole address": b"POST http://evil.test/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" + WHOLE,
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    "a large head": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * HEAD_BYTES + b"\r\n" + WHOLE,
    "an encoding beside chunked": POST + COMMON + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED + b"\r\n",
    "two encodings": POST + COMMON + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + CHUNKED + b"\r\n",
    "no encoding": POST + COMMON + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKED + b"\r\n",
    "a fragment": b"POST /mcp#x HTTP/1.1\r\nHost: 127.0.0.1\r\n" + WHOLE,
    "a fragment after a query": b"POST /mcp?a#x HTTP/1.1\r\nHost: 127.0.0.1\r\n" + WHOLE,
    "two equal lengths": POST + LENGTH + WHOLE,
    "a list of lengths": POST + COMMON + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "a length with a sign": POST + COMMON + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a folded line": POST + b"X: a\r\n b\r\n" + WHOLE,
    "line feeds alone": (POST + COMMON + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "HTTP/1.2": POST.replace(b"HTTP/1.1", b"HTTP/1.2") + WHOLE,
    "HTTP/2.0": POST.replace(b"HTTP/1.1", b"HTTP/2.0") + WHOLE,
    "an encoded body": POST + b"Content-Encoding: gzip\r\n" + WHOLE,
    "two types": POST + b"Content-Type: application/json\r\n" + WHOLE,
    "two versions of MCP": POST + b"MCP-Protocol-Version: 2025-11-25\r\n" * 2 + WHOLE,
    "two credentials": POST + b"X-Chatwoot-Token: a\r\n" * 2 + WHOLE,
    "space before a colon": POST + b"X : a\r\n" + WHOLE,
    "space after the size of a chunk": (
        POST + COMMON + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED.replace(b"\r\n", b" \r\n", 1) + b"\r\n"
    ),
    "chunks that end in line feeds": (
        POST + COMMON + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED.replace(b"\r\n", b"\n") + b"\n"
    ),
    "many headers": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: x\r\n" * 40_000 + WHOLE,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
async def test_odd_requests_are_refused(sandbox: Sandbox, name: str) -> None:
    async with served(sandbox) as port:
        answer = await answer_to(port, ODD[name])
    assert answer.partition(b"\r\n")[0][:12] in (b"HTTP/1.1 400", b"HTTP/1.1 415", b"HTTP/1.1 431", b""), answer[:200]
    assert b'"result"' not in answer


async def test_a_trailer_is_no_header(sandbox: Sandbox) -> None:
    """It would be a credential that a proxy in front has not seen."""
    async with served(sandbox, caller_tokens="1") as port:
        head = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" + COMMON + b"Transfer-Encoding: chunked\r\n\r\n"
        answer = await answer_to(port, head + CHUNKED + b"X-Chatwoot-Token: sandbox-admin\r\n\r\n")
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401")


async def test_the_body_of_an_upgrade_is_no_request(sandbox: Sandbox) -> None:
    """Else a proxy that forwards upgrades and uses connections again would pass on a request that it has not seen."""
    inner = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    head = b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    async with served(sandbox) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(inner))
        first = await reader.readuntil(b"\r\n")
        with contextlib.suppress(OSError):
            writer.write(inner)
            writer.write_eof()
            rest = await reader.read()
            assert b"HTTP/1.1" not in rest, (first, rest)
        writer.close()


ENDLESS = {
    "a header's value": (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"x" * 65_536),
    "a header's name": (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"x" * 65_536),
    "headers": (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: x\r\n" * 10_000),
    "a path": (b"GET /", b"x" * 65_536),
    "trailers": (
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: x\r\n" * 10_000,
    ),
    "a trailer": (
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        b"x" * 65_536,
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_cut_before_it_is_kept(sandbox: Sandbox, what: str) -> None:
    begin, more = ENDLESS[what]
    async with served(sandbox) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        tracemalloc.start()
        sent = 0
        writer.write(begin)
        with contextlib.suppress(ConnectionError):
            while sent < 64 * 1024 * 1024:
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0)
                sent += len(more)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        writer.close()
    assert sent < 64 * 1024 * 1024
    assert peak < 16 * 1024 * 1024


async def test_bodies_that_never_end_share_one_budget_and_harm_no_ordinary_call(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatwoot_mcp.web import bodies

    monkeypatch.setattr(bodies, "TOGETHER", 4 * 1024 * 1024)
    go_on = asyncio.Event()

    async def unfinished() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b" " * 100_000
        await go_on.wait()

    async with web_app(sandbox) as app, http(app) as client:
        first_refusal = asyncio.Event()

        async def one() -> int:
            status = (await client.post("/mcp", content=unfinished())).status_code
            first_refusal.set()
            return status

        many = [asyncio.create_task(one()) for _ in range(20)]
        await first_refusal.wait()
        assert (await client.post("/mcp", json=CALL)).status_code == 200
        go_on.set()
        statuses = await asyncio.gather(*many)
        assert statuses.count(503) >= 17  # four and a half mebibytes have room for two of two each
        assert (await client.post("/mcp", content=BODY + b" " * 1_500_000)).status_code == 200


async def test_a_stream_that_nothing_would_ever_be_sent_on_is_not_opened(sandbox: Sandbox) -> None:
    async with web_app(sandbox, caller_tokens="1", token="") as app:
        async with http(app, x_chatwoot_token="made-up", accept="text/event-stream") as client:
            answer = await client.get("/mcp")
        async with http(app, accept="text/event-stream") as client:
            assert (await client.get("/mcp")).status_code == 401
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/.well-known/oauth-protected-resource", "/mcp"])
async def test_every_path_minds_the_host_and_the_origin(sandbox: Sandbox, path: str) -> None:
    brought = {"caller_tokens": "1", "token": ""}
    async with (
        web_app(sandbox, allowed_hosts="mcp.acme.test", **brought) as app,
        http(app, x_chatwoot_token="sandbox-admin") as client,
    ):
        for headers, status in [
            ({"host": "evil.test"}, 421),
            ({"host": "127.0.0.1.evil.test"}, 421),
            ({"host": "localhost:evil"}, 421),
            ({"origin": "https://evil.test"}, 403),
            ({"origin": "null"}, 403),
        ]:
            assert (await client.request("PUT", path, headers=headers)).status_code == status, headers
        for host in ("mcp.acme.test", "MCP.acme.test:443", "localhost:8080"):
            assert (await client.request("PUT", path, headers={"host": host})).status_code in (404, 405), host
        by_address = await client.request("PUT", path, headers={"host": "10.0.0.7:8080"})
        assert by_address.status_code == (421 if path == "/mcp" else 404 if "well-known" in path else 405)


async def test_any_host_is_not_any_origin(sandbox: Sandbox) -> None:
    settings = {"allowed_hosts": "*", "allowed_origins": "https://app.acme.test", "caller_tokens": "1", "token": ""}
    async with web_app(sandbox, **settings) as app, http(app, x_chatwoot_token="sandbox-admin") as client:
        for origin, status in (("https://evil.test", 403), ("https://app.acme.test", 200)):
            answer = await client.post("/mcp", json=CALL, headers={"host": "any.test", "origin": origin})
            assert answer.status_code == status


async def test_no_slash_at_the_end_leads_anybody_elsewhere(sandbox: Sandbox) -> None:
    async with web_app(sandbox) as app, http(app) as client:
        assert (await client.post("/mcp/", json=CALL)).status_code == 200
        assert (await client.get("/healthz/")).status_code == 404


async def test_what_the_parser_refuses_is_told_once_and_counted(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(sandbox) as port:
        for _ in range(3):
            await answer_to(port, ODD["a list of lengths"])
        metrics = await answer_to(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    told = [each for each in caplog.records if each.levelname == "WARNING"]
    assert [(each.name, each.getMessage()) for each in told] == [
        (
            "chatwoot_mcp.refusals",
            "refused kind=request caller=- untold=0 why=not a request that HTTP/1.1 knows, or one that may be read in "
            "two ways",
        )
    ]
    assert b'chatwoot_mcp_refusals_total{kind="request"} 3.0' in metrics


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    "wrong", [{"id": {}}, {"id": True}, {"id": 1.5}, {"id": None}, {"method": "x" * 5_000}], ids=str
)
async def test_a_message_with_an_odd_id_or_an_endless_method_is_refused_in_few_words(
    sandbox: Sandbox, version: str, wrong: dict[str, object]
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "a", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}, **wrong}
    headers = {"mcp-protocol-version": version, "mcp-method": str(message["method"])}
    async with web_app(sandbox) as app, http(app) as client:
        answer = await client.post("/mcp", json=message, headers=headers)
    assert (answer.status_code, answer.json()["id"], answer.json()["error"]["code"]) == (400, None, -32600)
    assert len(answer.content) < 300
