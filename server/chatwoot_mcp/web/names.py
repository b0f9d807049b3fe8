"""Under which names the server may be called, and from which web pages: no page of somebody else's may reach it."""

from __future__ import annotations

import ipaddress
from typing import Final

from starlette.datastructures import Headers

from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web.callers import Refused

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


class Names:
    """Loopback under its usual names, and what the settings add; the host ``*`` leaves hosts to the proxy in front."""

    def __init__(self, settings: Settings) -> None:
        self._any_host = "*" in settings.allowed_hosts
        self._hosts = _with_ports({*LOOPBACK, *settings.allowed_hosts})
        self._origins = _with_ports({f"http://{host}" for host in LOOPBACK}) | set(settings.allowed_origins)

    def check(self, headers: Headers, *, by_address: bool) -> None:
        """Raises Refused. ``by_address``: an IP address will do as well, as probes have it; no page can rebind one."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or len(origins) > 1:
            raise Refused(400, "a request has one Host, and one Origin at most")
        host = hosts[0].lower()
        if not (self._any_host or _is_among(host, self._hosts) or (by_address and _is_address(host))):
            raise Refused(421, "this server is not called by that Host")
        if origins and not _is_among(origins[0], self._origins):
            raise Refused(403, "pages of that Origin may not call this server")


def _with_ports(names: set[str]) -> set[str]:
    return names | {f"{name}:*" for name in names}


def _is_among(value: str, names: set[str]) -> bool:
    """``name:*`` stands for the name with any port."""
    name, _, port = value.rpartition(":")
    return value in names or (port.isdecimal() and f"{name}:*" in names)


def _is_address(host: str) -> bool:
    name, _, port = host.rpartition(":")
    bare = name if port.isdecimal() and name else host
    try:
        ipaddress.ip_address(bare.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
