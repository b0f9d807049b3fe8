"""The ASGI app: the MCP endpoint, and what operators ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aiochatwoot import Budget, Chatwoot, Transport
from aiochatwoot.errors import ChatwootError
from chatwoot_mcp import __version__
from chatwoot_mcp.adapter import build_server_for
from chatwoot_mcp.app import USER_AGENT
from chatwoot_mcp.records import Refusals, audit_call, log_call
from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web.callers import Caller, Callers
from chatwoot_mcp.web.desks import Desks
from chatwoot_mcp.web.ending import ended_by_second_interrupt
from chatwoot_mcp.web.front import METADATA, PATH, SEAT, Front
from chatwoot_mcp.web.limits import REFUSALS
from chatwoot_mcp.web.metrics import Metrics
from chatwoot_mcp.web.names import Names
from chatwoot_mcp.web.oauth import READ, WRITE
from chatwoot_mcp.web.shared import Shared
from chatwoot_mcp.web.tracing import flush_traces
from chatwoot_tools import Desk
from chatwoot_tools.failures.diagnosis import explain

READY_S: Final = 5.0
"""How long Chatwoot may take to answer whether it is there, and how long its answer counts."""


def build_app(settings: Settings) -> Starlette:
    """MCP at ``/mcp``, stateless in both protocol eras, so that any replica can answer any request."""
    callers, metrics, shared = Callers(settings), Metrics(), Shared(settings)
    refusals = Refusals(metrics.refused)
    desks = Desks(lambda caller: _desk(settings, caller, shared))
    server = build_server_for(
        _seat, settings.toolsets, observers=(log_call, audit_call, metrics.observe), refusals=refusals
    )
    operations = _Operations(settings, metrics, shared, desks, callers, refusals)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.max_body_bytes,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # Names has done it
        custom_starlette_routes=[
            Route("/healthz", operations.healthz),
            Route("/readyz", operations.readyz),
            Route("/metrics", operations.metrics),
            *([Route(where, operations.resource) for where in _metadata_paths()] if callers.issuer else []),
        ],
    )
    front = Middleware(
        Front,
        names=Names(settings),
        callers=callers,
        seat=desks.seat,
        metrics=metrics,
        refusals=refusals,
        max_body_bytes=settings.max_body_bytes,
        metadata_url=_metadata_url(settings) if callers.issuer else None,
    )
    app.user_middleware.insert(0, front)
    app.router.redirect_slashes = False
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Starlette) -> AsyncGenerator[Any]:
        async with AsyncExitStack() as stack:
            stack.enter_context(ended_by_second_interrupt(desks.abandon))
            stack.push_async_callback(flush_traces)
            stack.push_async_callback(shared.aclose)
            stack.push_async_callback(operations.aclose)
            stack.push_async_callback(desks.aclose)
            await stack.enter_async_context(inner(running))
            yield {REFUSALS: refusals}

    app.router.lifespan_context = lifespan
    return app


def _seat(ctx: Any) -> Any:
    return ctx.request.scope[SEAT]


def _desk(settings: Settings, caller: Caller, shared: Shared) -> Desk:
    limits = shared.limits(settings.base_url, caller)
    transport = Transport(
        settings.base_url, caller.token, user_agent=USER_AGENT, limits=limits, proxy=settings.proxy_url
    )
    return Desk(Chatwoot(transport), caller.policy, ledger=shared.ledger(settings.base_url, caller), scope=caller.scope)


def _metadata_paths() -> list[str]:
    """RFC 9728: the well-known path, with and without that of the resource behind it."""
    return [METADATA, f"{METADATA}{PATH}"]


def _metadata_url(settings: Settings) -> str:
    parts = urlsplit(settings.public_url or "")
    return f"{parts.scheme}://{parts.netloc}{_metadata_paths()[1]}"


@dataclass
class _Operations:
    settings: Settings
    metrics_of: Metrics
    shared: Shared
    desks: Desks
    callers: Callers
    refusals: Refusals
    _asked_at: float = float("-inf")
    _trouble: str | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        # Without a token: whether Chatwoot is there is no secret, and no caller's token is spent on it.
        self._chatwoot = Chatwoot(
            Transport(self.settings.base_url, "", user_agent=USER_AGENT, proxy=self.settings.proxy_url)
        )

    async def healthz(self, _: Request) -> Response:
        """Alive."""
        return JSONResponse({"status": "ok", "version": __version__})

    async def readyz(self, _: Request) -> Response:
        """Chatwoot answers, and can be written to as far as one can tell without writing; and callers can be told."""
        async with self._asking:
            if time.monotonic() - self._asked_at > READY_S:
                async with asyncio.TaskGroup() as group:
                    looking = group.create_task(self._look())
                    group.create_task(self.shared.look())
                self._trouble = looking.result()
                self._asked_at = time.monotonic()
        about: dict[str, Any] = {"chatwoot": self._trouble or "ok", "shared_state": self.shared.state}
        if (trouble := self.callers.trouble) is not None:
            self.refusals.tell("unavailable", trouble)
            about["callers_file"] = "unusable"
        is_ready = self._trouble is None and trouble is None
        return JSONResponse({"status": "ok" if is_ready else "unavailable", **about}, 200 if is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        self.metrics_of.open_circuits.set(self.desks.open_circuits())
        return PlainTextResponse(self.metrics_of.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def resource(self, _: Request) -> Response:
        """RFC 9728: whom to ask for a token, and for which scopes."""
        return JSONResponse(
            {
                "resource": self.settings.public_url,
                "authorization_servers": [self.settings.oauth_issuer],
                "scopes_supported": [READ, WRITE],
                "bearer_methods_supported": ["header"],
            }
        )

    async def aclose(self) -> None:
        await self._chatwoot.aclose()

    async def _look(self) -> str | None:
        try:
            answer = await self._chatwoot.within(Budget(READY_S)).accounts.about()
        except ChatwootError as failure:
            return explain(failure).code
        data: Any = answer.data
        return None if isinstance(data, dict) and "version" in data else "unexpected_response"
