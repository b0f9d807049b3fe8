"""Under which name a request calls, and from which web page: looked at before anything else of it.

Any page can make the browser of whoever looks at it send requests to loopback, also under a name of the page's own that
it lets point there (DNS rebinding). Its Host gives that away, its Origin the rest.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chatwoot_mcp.records import Refusals
from chatwoot_mcp.settings import HOW_CALLERS, Settings, is_loopback
from chatwoot_mcp.web.front import PATH

_HOST: Final = re.compile(r"\[?([0-9a-z_.-]+|[0-9a-f:.]+)\]?(:[0-9]+)?", re.IGNORECASE)
_LEFT_BY_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_UNKNOWN_NAME: Final = "this server is not called by that name; the operator can add it to CHATWOOT_MCP_ALLOWED_HOSTS"
_NOT_FOR_OTHERS: Final = (
    f"whoever calls from beyond this machine has to say who they are; the operator has to {HOW_CALLERS}"
)
_UNKNOWN_PAGE: Final = "no page of that origin may call; the operator can add it to CHATWOOT_MCP_ALLOWED_ORIGINS"


class Origins:
    """ASGI middleware. Where nobody has to say who they are, only this machine gets in."""

    def __init__(self, app: ASGIApp, *, settings: Settings, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals
        self._is_open = not settings.authenticates
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._origins = {origin.lower() for origin in settings.allowed_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._fault(scope) if scope["type"] == "http" and scope["path"].rstrip("/") == PATH else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        status, kind, text = fault
        self._refusals.tell(kind, text)
        await JSONResponse({"error": "refused", "error_description": text}, status)(scope, receive, send)

    def _fault(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, kind and text of a refusal."""
        headers = Headers(scope=scope)
        if not self._is_called(headers.getlist("host")):
            return 421, "host", _NOT_FOR_OTHERS if self._is_open else _UNKNOWN_NAME
        if not all(self._may_call(origin) for origin in headers.getlist("origin")):
            return 403, "origin", _UNKNOWN_PAGE
        if self._is_open and not _is_of_this_machine(scope, headers):
            return 403, "host", _NOT_FOR_OTHERS
        return None

    def _is_called(self, names: list[str]) -> bool:
        found = _HOST.fullmatch(names[0].strip()) if len(names) == 1 else None
        if found is None:
            return False
        return is_loopback(found[1].lower()) or bool({found[0].lower(), found[1].lower(), "*"} & self._hosts)

    def _may_call(self, origin: str) -> bool:
        origin = origin.strip().lower()
        return origin in self._origins or _is_on_loopback(origin)


def _is_on_loopback(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.scheme == "http" and is_loopback(parts.hostname)
    except ValueError:
        return False


def _is_of_this_machine(scope: Scope, headers: Headers) -> bool:
    """Behind a proxy on this machine everybody comes from loopback; most proxies say that there is somebody behind."""
    client = scope.get("client")
    return (client is None or is_loopback(client[0])) and not any(name in headers for name in _LEFT_BY_PROXIES)
