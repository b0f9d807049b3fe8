"""The transport on real sockets: what goes over the wire, and what may come back."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import math
import socket
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from aiochatwoot import Budget, Transport, errors
from aiochatwoot.request import Answer, Request, path
from aiochatwoot.transport import MAX_BYTES
from virtual import in_virtual_time
from wire import Handle, Wire, answer, cut, wire

TOKEN = "canary-token"
GET = Request("GET", "/api/v1/profile")
POST = Request("POST", "/api/v1/accounts/1/conversations", {"a": "ä☃"}, is_write=True)


async def send(to: Wire | str, request: Request = GET, budget_s: float | Budget = math.inf, **options: Any) -> Answer:
    budget = budget_s if isinstance(budget_s, Budget) else Budget(budget_s)
    base_url = to if isinstance(to, str) else to.base_url

    async def no_wait(_: float) -> None:
        await asyncio.sleep(0)

    transport = Transport(base_url, TOKEN, sleep=no_wait, rand=lambda: 0.0, **options)
    try:
        return await transport.send(request, budget)
    finally:
        await transport.aclose()


async def test_what_is_sent_to_the_letter() -> None:
    async with wire(answer(b'{"id": 1}', Date="Mon, 23 Nov 2026 10:00:00 GMT")) as there:
        budget = Budget(math.inf)
        got = await send(there, POST, budget, user_agent="chatwoot-mcp/1")
    port = there.base_url.rpartition(":")[2]
    assert there.requests == [
        (
            "POST /api/v1/accounts/1/conversations HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\n"
            "Connection: keep-alive\r\n"
            "accept: application/json\r\n"
            "accept-encoding: gzip\r\n"
            "user-agent: chatwoot-mcp/1\r\n"
            "api-access-token: canary-token\r\n"
            f"x-request-id: {budget.id}\r\n"
            "content-type: application/json\r\n"
            "Content-Length: 13\r\n\r\n"
            '{"a":"ä☃"}'
        ).encode()
    ]
    assert got == Answer(200, {"id": 1}, datetime(2026, 11, 23, 10, tzinfo=UTC))


async def test_an_address_with_a_path_in_front_is_kept_and_a_query_is_quoted() -> None:
    async with wire(answer()) as there:
        await send(there.base_url + "/desk/", Request("GET", "/api", query=(("q", "a b&c=ä"), ("labels[]", "x"))))
    assert there.requests[0].startswith(b"GET /desk/api?q=a+b%26c%3D%C3%A4&labels%5B%5D=x HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed_and_the_token_stays(status: int) -> None:
    async with wire(answer()) as elsewhere:
        moved = answer(b"", f"{status} Moved", Location=f"{elsewhere.base_url}/take?me=1")
        async with wire(moved) as there:
            with pytest.raises(errors.Redirected) as caught:
                await send(there, POST)
    assert (caught.value.host, caught.value.http_status, elsewhere.requests) == ("127.0.0.1", status, [])
    assert len(there.requests) == 1


@pytest.mark.parametrize("where", ["@evil.test/", ".evil.test/", ":1/x"])
async def test_no_path_leaves_the_configured_origin(where: str) -> None:
    with pytest.raises(ValueError, match="leave the configured origin"):
        await send("http://chatwoot.test", Request("GET", where))


async def test_a_path_that_looks_like_an_address_is_a_path() -> None:
    async with wire(answer()) as there:
        await send(there, Request("GET", "//evil.test/x"))
    assert there.requests[0].startswith(b"GET //evil.test/x HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_value_in_a_path_stays_one_segment() -> None:
    assert path("/a/{x}", x="../b?c#d/ä ") == "/a/..%2Fb%3Fc%23d%2F%C3%A4%20"
    for wrong in ("", ".", ".."):
        with pytest.raises(ValueError, match="x is not"):
            path("/a/{x}", x=wrong)


BIG = b'"' + b"x" * MAX_BYTES + b'"'


@pytest.mark.parametrize(
    "reply",
    [answer(BIG), answer(gzip.compress(BIG), Content_Encoding="gzip")],
    ids=["plain", "gzip"],
)
async def test_an_answer_above_the_cap_is_not_read(reply: bytes) -> None:
    async with wire(reply) as there:
        with pytest.raises(errors.ResponseTooLarge):
            await send(there)


async def test_a_small_gzip_that_unpacks_to_200_megabytes_costs_little_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"0" * 1024 * 1024) for _ in range(200)) + packer.flush()
    async with wire(answer(bomb, Content_Encoding="gzip")) as there:
        tracemalloc.start()
        with pytest.raises(errors.ResponseTooLarge):
            await send(there)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 32 * 1024 * 1024


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_packed_answers_are_unpacked(encode: Any) -> None:
    encoding = "gzip" if encode is gzip.compress else "deflate"
    async with wire(answer(encode(b'{"a": 1}'), Content_Encoding=encoding)) as there:
        assert (await send(there)).data == {"a": 1}


async def test_an_empty_answer_is_none() -> None:
    async with wire(answer(b"")) as there:
        assert (await send(there)).data is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(b"<html>login</html>", Content_Type="text/html"), errors.UnexpectedResponse),
        (answer(b"{"), errors.UnexpectedResponse),
        (answer(b"[" * 100_000), errors.UnexpectedResponse),
        (answer(b"\xff\xfe{}"), errors.UnexpectedResponse),
        (answer(b"{}", "500 Oops"), errors.ServerError),
        (answer(b"{}", "402 Pay"), errors.PlanLimit),
        (answer(b"{}", "403 No"), errors.Forbidden),
        (answer(b"{}", "404 No"), errors.NotFound),
        (answer(b"{}", "418 Teapot"), errors.Rejected),
        (answer(b"not gzip", Content_Encoding="gzip"), errors.ConnectionLost),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", errors.TimedOut),
        (b"garbage\r\n\r\n", errors.ConnectionLost),
        (cut, errors.ConnectionLost),
    ],
)
@in_virtual_time
async def test_each_way_of_answering_badly_has_its_error(
    reply: bytes | Handle, expected: type[errors.ChatwootError]
) -> None:
    async with wire(reply) as there:
        with pytest.raises(expected) as caught:
            await send(there, POST)
    assert type(caught.value) is expected
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "Invalid Access Token"}, errors.TokenInvalid),
        ({"errors": ["You need to sign in or sign up before continuing."]}, errors.TokenMissing),
        ({"error": "You are not authorized to access this account"}, errors.NotAMember),
        ({"error": "Account is suspended"}, errors.AccountSuspended),
        ({"error": "You are not authorized to do this action"}, errors.Forbidden),
        ({"error": "Access to this endpoint is not authorized for bots"}, errors.BotEndpointClosed),
        ({"error": "Bot is not authorized to access this account"}, errors.BotNotOfAccount),
        ({"error": "something new"}, errors.Unauthorized),
        ([], errors.Unauthorized),
    ],
)
async def test_the_seven_401s_are_told_apart(body: Any, expected: type[errors.ChatwootError]) -> None:
    async with wire(answer(json.dumps(body).encode(), "401 Unauthorized")) as there:
        with pytest.raises(errors.Unauthorized) as caught:
            await send(there)
    assert type(caught.value) is expected


async def test_chatwoots_words_and_attributes_are_kept_from_a_422() -> None:
    body = b'{"message": "Source is invalid", "attributes": ["source_id"]}'
    async with wire(answer(body, "422 Unprocessable")) as there:
        with pytest.raises(errors.Rejected) as caught:
            await send(there, POST)
    assert (caught.value.detail, caught.value.attributes) == ("Source is invalid", ("source_id",))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7), ("0", 0), ("999999", 999999), ("in a minute", 60), ("-3", None), ("soon", None), ("1.5", None),
        ("Mon, 01 Jan 0001 00:00:00 +2300", None), ("²", None), ("Mon, 01 Jan 2001 00:00:00 GMT", None),
    ],
)  # fmt: skip
@in_virtual_time
async def test_retry_after_in_all_its_forms(value: str, seconds: float | None) -> None:
    if value == "in a minute":
        value = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    async with wire(answer(b"", "429 Slow Down", Retry_After=value)) as there:
        with pytest.raises(errors.RateLimited) as caught:
            await send(there, budget_s=0.2)
    if seconds is None:
        assert caught.value.retry_after_s is None
    else:
        assert caught.value.retry_after_s == pytest.approx(seconds, abs=2)


async def test_a_read_is_sent_three_times_at_most_and_a_write_once() -> None:
    async with wire(answer(b"", "503 Busy")) as there:
        for request, times in ((GET, 3), (POST, 1)):
            there.requests.clear()
            with pytest.raises(errors.ServerError):
                await send(there, request)
            assert len(there.requests) == times


async def test_a_server_that_comes_back_is_forgiven() -> None:
    async with wire(cut, answer(b"", "502 Bad"), answer(b'{"ok": 1}')) as there:
        assert (await send(there)).data == {"ok": 1}
    assert len(there.requests) == 3


async def test_nobody_listening_is_unreachable_and_tried_three_times() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        budget = Budget(30)
        transport = Transport(f"http://127.0.0.1:{unused.getsockname()[1]}", TOKEN, rand=lambda: 0.0)
        with pytest.raises(errors.Unreachable):
            await transport.send(POST, budget)
        await transport.aclose()
    assert budget.requests == 3


@in_virtual_time
async def test_a_dripping_answer_ends_at_the_deadline() -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with wire(drip) as there:
        with pytest.raises(errors.DeadlineExceeded):
            await send(there, budget_s=0.2)
    assert len(there.requests) == 1


async def test_a_spent_budget_sends_nothing() -> None:
    async with wire(answer()) as there:
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await send(there, POST, budget_s=0)
    assert (caught.value.effect, there.requests) == (errors.Effect.NONE, [])


async def test_eight_requests_are_under_way_at_most() -> None:
    under_way = most = 0

    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        writer.write(answer())

    async with wire(slow) as there:
        transport = Transport(there.base_url, TOKEN)
        await asyncio.gather(*(transport.send(GET, Budget(math.inf)) for _ in range(30)))
        await transport.aclose()
    assert most == 8


async def test_a_read_whose_call_is_cancelled_ends_with_it() -> None:
    arrived = asyncio.Event()

    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await writer.wait_closed()

    async with wire(endless) as there:
        transport = Transport(there.base_url, TOKEN)
        call = asyncio.create_task(transport.send(GET, Budget(math.inf)))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await transport.aclose()


async def test_neither_logs_nor_errors_nor_reprs_hold_token_query_or_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request = Request("POST", "/api", {"content": "canary-body"}, query=(("q", "canary-query"),), is_write=True)
    async with wire(answer(b"", "500 Oops")) as there:
        with pytest.raises(errors.ServerError) as caught:
            await send(there, request)
        shown = [caplog.text, repr(caught.value), str(caught.value), repr(request), repr(Transport("http://x", TOKEN))]
    assert "POST /api failed: ServerError" in caplog.text
    assert all("canary" not in text for text in shown)
