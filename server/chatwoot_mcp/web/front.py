"""What every request to ``/mcp`` passes before the protocol: who calls, how much is sent, and how fast."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatwoot_mcp.adapter import Seat
from chatwoot_mcp.records import Refusals
from chatwoot_mcp.web.callers import Caller, Callers, Refused
from chatwoot_mcp.web.metrics import Metrics

PATH: Final = "/mcp"
BODY_S: Final = 20.0
"""Time for a whole body to come in."""
BRIEF: Final = 300
"""Bytes of an error that is sent on as it is."""
_NO_MESSAGE: Final = "Not a message that MCP knows, or its headers do not fit it."
_KINDS: Final = {401: "login", 403: "login", 503: "callers_file"}
SEAT: Final = "chatwoot_mcp.seat"
"""Where the seat stands in the ASGI scope."""


class Front:
    """ASGI middleware. ``metadata_url`` is where an OAuth client learns whom to ask for a token."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: Callers,
        seat: Callable[[Caller], AbstractContextManager[Seat]],
        metrics: Metrics,
        refusals: Refusals,
        max_body_bytes: int,
        metadata_url: str | None,
    ) -> None:
        self._app = app
        self._callers = callers
        self._seat = seat
        self._metrics = metrics
        self._refusals = refusals
        self._max_body_bytes = max_body_bytes
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        with self._metrics.in_flight.track_inprogress():
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        # RFC 9110, 5.5: white space around a value is none of it. Of uvicorn's two parsers only one takes it off.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        headers = Headers(scope=scope)
        try:
            caller = await self._callers.identify(headers)
            body = await self._body(headers, receive)
        except Refused as refused:
            self._refusals.tell(_KINDS.get(refused.status, "request"), refused.why)
            await self._answer(refused)(scope, receive, send)
            return
        with self._seat(caller) as scope[SEAT]:
            await self._app(scope, _replay(body, receive), _Brief(send))

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        too_large = Refused(413, f"the body is larger than {self._max_body_bytes} bytes")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body_bytes:
            raise too_large
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the body did not come whole")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    more = message.get("more_body", False)
                    if size > self._max_body_bytes:
                        raise too_large
        except TimeoutError:
            raise Refused(408, f"the body did not come within {BODY_S:.0f} seconds") from None
        return b"".join(parts)

    def _answer(self, refused: Refused) -> JSONResponse:
        headers: dict[str, str] = {}
        if refused.status in (401, 403):
            words = [f'error="{refused.error}"'] if refused.error else []
            if self._metadata_url:
                words.append(f'resource_metadata="{self._metadata_url}"')
            headers["www-authenticate"] = f"Bearer {', '.join(words)}".strip()
        if refused.status in (408, 413):
            headers["connection"] = "close"  # what is left of the body is not read
        return JSONResponse(
            {"error": refused.error or "refused", "error_description": str(refused)}, refused.status, headers
        )


class _Brief:
    """Sends on, but for long words of a 400: the SDK shows there what it was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 400:
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._send_brief(self._start, _brief(b"".join(self._parts)))

    async def _send_brief(self, start: Message, body: bytes) -> None:
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await self._send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})


def _brief(body: bytes) -> bytes:
    """A JSON-RPC error with its words cut short; its id, code and data stay."""
    if len(body) <= BRIEF:
        return body
    try:
        answer: dict[str, Any] = json.loads(body)
        return json.dumps({**answer, "error": {**answer["error"], "message": _NO_MESSAGE}}).encode()
    except (ValueError, KeyError, TypeError):
        return body[:BRIEF]


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
