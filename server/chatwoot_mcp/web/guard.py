"""Connections that say nothing: uvicorn waits for a request for ever, and enough of them would shut everybody out."""

# pyright: reportUnknownMemberType=false, reportUntypedBaseClass=false

from __future__ import annotations

import asyncio
from typing import Any, Final

base: Any
try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    base = HttpToolsProtocol
except ImportError:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    base = H11Protocol

HEAD_S: Final = 10.0
"""Time for the head of a request to come in, from the connection or from its first byte."""
CONNECTIONS: Final = 20_000
"""Connections at a time; more are closed at once."""


class GuardedProtocol(base):  # type: ignore[misc]
    """uvicorn's own HTTP protocol, the faster one where it is installed, with a limit to silence."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._is_idle() and self._waiting is None:
            self._wait()
        super().data_received(data)
        if not self._is_idle():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        """No request whose head is whole is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)
