"""What every request passes first: it records those to the API, and plays the faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatwoot_sandbox.http.faults import ConnectionCut, Fault, Faults
from chatwoot_sandbox.jobs import Jobs

_OVERSIZED: Final = 9 * 1024 * 1024
_PAGE: Final = "<html><body><h1>{status}</h1><p>from a proxy</p></body></html>"
_GATEWAY: Final = {502, 503, 504}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request to the API as it arrived, without its headers. ``status`` is None where the connection was cut."""

    method: str
    path: str
    query: str
    body: Any
    status: int | None


class Gate:
    """ASGI middleware. ``over_sockets`` is set while a real server carries the app."""

    def __init__(
        self, app: ASGIApp, faults: Faults, requests: list[RequestRecord], jobs: Jobs, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._jobs = jobs
        self._clock = clock
        self._faults = faults
        self._requests = requests
        self.over_sockets = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._jobs.run_due()
        if scope["type"] != "http" or not scope["path"].startswith("/api"):
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        status: int | None = None

        async def send_recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not self.over_sockets:  # a real server adds one itself
                    date = formatdate(self._clock(), usegmt=True).encode()
                    message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        try:
            await self._handle(scope, body, send_recorded)
        except ConnectionCut:
            status = None
            if not self.over_sockets:
                raise
            await _break_connection(send)
        finally:
            query = scope["query_string"].decode("latin-1")
            self._requests.append(RequestRecord(scope["method"], scope["path"], query, _decode_json(body), status))
            self._jobs.run_due()

    async def _handle(self, scope: Scope, body: bytes, send: Send) -> None:
        fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, _replay_body(body), send)
            return
        if fault.kind == "latency":
            await asyncio.sleep(fault.delay_s)
            await self._app(scope, _replay_body(body), send)
            return
        if fault.kind == "cut_before":
            raise ConnectionCut
        if fault.kind in {"status_after", "cut_after", "oversized", "broken"}:
            await self._app(scope, _replay_body(body), _discard)
        if fault.kind == "cut_after":
            raise ConnectionCut
        await _build_answer(fault)(scope, _replay_body(b""), send)


def _build_answer(fault: Fault) -> Response:
    match fault.kind:
        case "html":
            return HTMLResponse(_PAGE.format(status=200))
        case "redirect":
            return Response(status_code=302, headers={"location": fault.location or ""})
        case "oversized":
            return Response(b'{"id":"' + b"x" * _OVERSIZED + b'"}', media_type="application/json")
        case "broken":
            return Response(b'{"id": 1, "account_id"', media_type="application/json")
        case _:
            return _build_status_answer(fault)


def _build_status_answer(fault: Fault) -> Response:
    if fault.status == 429:
        headers = {"retry-after": fault.retry_after} if fault.retry_after is not None else None
        return PlainTextResponse("Retry later\n", 429, headers)
    if fault.status in _GATEWAY:
        return HTMLResponse(_PAGE.format(status=fault.status), fault.status)
    return JSONResponse({"status": fault.status, "error": "Internal Server Error"}, fault.status)


async def _break_connection(send: Send) -> None:
    """Announce more bytes than are sent: the server then closes the connection in the middle of the answer."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionCut


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay_body(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _discard(_: Message) -> None:
    return


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None
