"""Under which name a request calls, and from which web page: looked at before anything else of it.

Any page can make the browser of whoever looks at it send requests to loopback, also under a name of the page's own that
it lets point there (DNS rebinding). Its Host gives that away, its Origin the rest.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from aiochatwoot.loopback import is_loopback
from chatwoot_mcp.settings import HOW_CALLERS, Settings
from chatwoot_mcp.web.callers import Refused

_HOST: Final = re.compile(r"\[?([0-9a-z_.-]+|[0-9a-f:.]+)\]?(:[0-9]+)?", re.IGNORECASE)
_LEFT_BY_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_UNKNOWN_NAME: Final = "this server is not called by that name; the operator can add it to CHATWOOT_MCP_ALLOWED_HOSTS"
_NOT_FOR_OTHERS: Final = (
    f"whoever calls from beyond this machine has to say who they are; the operator has to {HOW_CALLERS}"
)
_UNKNOWN_PAGE: Final = "no page of that origin may call; the operator can add it to CHATWOOT_MCP_ALLOWED_ORIGINS"


class Names:
    """Loopback under its usual names, and what the settings add. Where nobody has to say who they are, only this
    machine gets in."""

    def __init__(self, settings: Settings) -> None:
        self._is_open = not settings.authenticates
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self.origins = {origin.lower() for origin in settings.allowed_origins}

    def check(self, scope: Scope, *, is_call: bool) -> None:
        """Raises Refused. What is no call may also come to an IP address, as probes do: no page can rebind one."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or len(origins) > 1:
            raise Refused(400, "a request has one Host, and one Origin at most")
        if not (self._is_called(hosts[0]) or (not is_call and _is_address(hosts[0]))):
            raise Refused(421, _NOT_FOR_OTHERS if self._is_open else _UNKNOWN_NAME, kind="host")
        if not all(self._may_call(origin) for origin in origins):
            raise Refused(403, _UNKNOWN_PAGE, kind="origin")
        if is_call and self._is_open and not _is_of_this_machine(scope, headers):
            raise Refused(403, _NOT_FOR_OTHERS, kind="host")

    def _is_called(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        return is_loopback(found[1].lower()) or bool({found[0].lower(), found[1].lower(), "*"} & self._hosts)

    def _may_call(self, origin: str) -> bool:
        return origin.lower() in self.origins or _is_on_loopback(origin)


def _is_on_loopback(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.scheme == "http" and is_loopback(parts.hostname)
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    found = _HOST.fullmatch(host)
    try:
        return found is not None and bool(ipaddress.ip_address(found[1]))
    except ValueError:
        return False


def _is_of_this_machine(scope: Scope, headers: Headers) -> bool:
    """Behind a proxy on this machine everybody comes from loopback; most proxies say that there is somebody behind."""
    client = scope.get("client")
    return (client is None or is_loopback(client[0])) and not any(name in headers for name in _LEFT_BY_PROXIES)
