"""What counts as this machine itself."""

from __future__ import annotations


def is_loopback(host: str | None) -> bool:
    """Whether a host without a port is this machine. Only names and numbers that cannot be another's: nothing is
    resolved."""
    if host is None:
        return False
    return host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdecimal())
