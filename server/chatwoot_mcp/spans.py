"""What the SDK's traces may name: of what a caller sends, only what is known here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS

UNKNOWN: Final = "unknown"
_METHODS: Final = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS


def with_known_names(tracing: ServerMiddleware[Any], names: Mapping[str, Collection[str]]) -> ServerMiddleware[Any]:
    """The middleware that names spans after method and name, told no others than ``names`` has for the method."""

    def shown(ctx: ServerRequestContext[Any]) -> ServerRequestContext[Any]:
        method = ctx.method if ctx.method in _METHODS else UNKNOWN
        name = (ctx.params or {}).get("name")
        known = names.get(method)
        params = None if known is None else {"name": name if isinstance(name, str) and name in known else UNKNOWN}
        # The id of a request may be any text; a number says nothing.
        return replace(ctx, method=method, params=params, request_id=_number(ctx.request_id))

    async def traced(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        return await tracing(shown(ctx), lambda _: call_next(ctx))

    return traced


def _number(request_id: Any) -> int | None:
    return request_id if isinstance(request_id, int) else None
