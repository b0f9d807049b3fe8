"""What every request passes first: by which name it came; to ``/mcp`` also who calls, how much is sent, how fast."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import mcp_types as types
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatwoot_mcp.adapter import Seat
from chatwoot_mcp.records import Refusals
from chatwoot_mcp.web.bodies import Bodies
from chatwoot_mcp.web.callers import Caller, Callers, Refused
from chatwoot_mcp.web.limits import HEAD_BYTES
from chatwoot_mcp.web.metrics import Metrics
from chatwoot_mcp.web.names import Names

PATH: Final = "/mcp"
METADATA: Final = "/.well-known/oauth-protected-resource"
"""Where an OAuth client that was refused learns whom to ask for a token."""
_METHODS: Final = ("GET", "POST", "DELETE")
_SHOWN: Final = ("mcp-session-id", "mcp-protocol-version", "retry-after", "www-authenticate")
"""Headers of an answer that a page may see; it sees few without."""
BRIEF: Final = 300
"""Bytes of an error that is sent on as it is."""
LONGEST_METHOD: Final = 100
_NO_MESSAGE: Final = "Not a message that MCP knows, or its headers do not fit it."
_ONCE: Final = (
    *(b"host", b"origin", b"authorization", b"x-chatwoot-token", b"content-type", b"content-length"),
    *(b"mcp-protocol-version", b"mcp-session-id", b"mcp-method", b"mcp-name"),
)
"""Headers of which a proxy may read the first, and we the last."""
_KINDS: Final = {401: "login", 403: "login", 503: "unavailable"}
SEAT: Final = "chatwoot_mcp.seat"
"""Where the seat stands in the ASGI scope."""


class Front:
    """ASGI middleware. ``metadata_url`` is where an OAuth client learns whom to ask for a token."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Names,
        callers: Callers,
        seat: Callable[[Caller], AbstractContextManager[Seat]],
        metrics: Metrics,
        refusals: Refusals,
        max_body_bytes: int,
        metadata_url: str | None,
    ) -> None:
        self._app = app
        # Browsers let pages of origins that the settings name read the answers, and no others, not those of loopback
        # either. With any header: MCP's differ by era.
        self._for_pages = CORSMiddleware(
            self._serve,
            allow_origins=sorted(names.origins),
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_SHOWN,
        )
        self._names = names
        self._callers = callers
        self._seat = seat
        self._metrics = metrics
        self._refusals = refusals
        self._bodies = Bodies(max_body_bytes)
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # RFC 9110, 5.5: white space around a value is none of it. httptools leaves what follows.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        if scope["path"] == f"{PATH}/":
            scope["path"] = PATH
        try:
            _check_head(scope)
            self._names.check(scope, is_call=scope["path"] == PATH)
        except Refused as refused:
            await self._refuse(refused)(scope, receive, send)
            return
        is_for_pages = scope["path"].startswith((PATH, METADATA))
        await (self._for_pages if is_for_pages else self._app)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._admit(scope, receive, send)
        except Refused as refused:
            await self._refuse(refused)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        caller = await self._callers.identify(headers)
        if scope["method"] == "GET":
            # Stateless, so nothing would ever be sent on such a stream; MCP has this answer for it.
            raise Refused(405, "this server offers no stream of its own: use POST")
        async with self._bodies.read(headers, receive) as body:
            if why := _misshapen(body):
                self._refusals.tell("request", why)
                await JSONResponse(_not_a_message(why), 400)(scope, receive, send)
                return
            with self._seat(caller) as scope[SEAT]:
                await self._app(scope, _replay(body, receive), _Brief(send))

    def _refuse(self, refused: Refused) -> JSONResponse:
        self._refusals.tell(refused.kind or _KINDS.get(refused.status, "request"), refused.why)
        headers: dict[str, str] = {}
        if refused.status == 401 or refused.error:
            words = [f'error="{refused.error}"'] if refused.error else []
            if self._metadata_url:
                words.append(f'resource_metadata="{self._metadata_url}"')
            headers["www-authenticate"] = f"Bearer {', '.join(words)}".strip()
        if refused.status == 405:
            headers["allow"] = "POST"
        if refused.status in (400, 408, 413, 431, 503):
            headers["connection"] = "close"  # what is left of the body is not read
        return JSONResponse(
            {"error": refused.error or "refused", "error_description": str(refused)}, refused.status, headers
        )


def _check_head(scope: Scope) -> None:
    """What the parser lets through. Raises Refused."""
    names = [name for name, _ in scope["headers"]]
    if twice := next((name for name in _ONCE if names.count(name) > 1), None):
        raise Refused(400, f"a request has one {twice.decode()} header")
    if b"content-encoding" in names:
        raise Refused(415, "a body is sent as it is, without Content-Encoding")
    size = sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope["query_string"])
    if size + len(scope["path"]) > HEAD_BYTES:
        raise Refused(431, f"the head is larger than {HEAD_BYTES} bytes")
    if b"content-length" in names and b"transfer-encoding" in names:
        raise Refused(400, "a body has a Content-Length or a Transfer-Encoding")
    if not scope["path"].startswith("/"):
        raise Refused(400, "a request is for a path of this server")


def _misshapen(body: bytes) -> str | None:
    """What is wrong with a message where the SDK says nothing of it, or repeats all of it."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match message:
        case {"method": str(), "id": bool() | float() | None | list() | dict()}:
            return "The id of a request must be a string or a whole number."
        case {"method": str(method)} if len(method) > LONGEST_METHOD:
            return f"The method's name is longer than {LONGEST_METHOD} characters."
        case _:
            return None


def _not_a_message(why: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": types.INVALID_REQUEST, "message": why}}


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
