"""What uvicorn leaves open at both ends of a connection's life.

It waits for a request for ever, and enough connections that say nothing would shut everybody out. And when it is
told to stop, it drops connections whose request is on its way, which a proxy cannot send elsewhere any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, Final

import uvicorn

from chatwoot_mcp.web.parser import StrictParser

HEAD_S: Final = 10.0
"""Time for the head of a request to come in, from the connection or from its first byte."""
LAST_CALL_S: Final = 1.0
"""When the server stops: time for a request to come in that may be on its way."""
CONNECTIONS: Final = 20_000
"""Connections at a time; more are closed at once."""


class GuardedProtocol(StrictParser):
    """With a limit to silence."""

    _waiting: asyncio.TimerHandle | None = None
    _is_last_call = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets this only where it made the socket, which with several workers it did not: answers then wait
        # 40 ms for an acknowledgement.
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
            if self._is_last_call:
                self._close_after_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called once when the server stops: a connection that answers nothing may have a request on its way."""
        self._is_last_call = True
        if not self._is_idle():
            self._close_after_answer()
            return
        self._stop_waiting()
        self._wait(LAST_CALL_S)

    def _close_after_answer(self) -> None:
        """The answer says so too, or the client could send its next request into a connection that is closing."""
        self.cycle.keep_alive = False
        self.cycle.scope["headers"] = [*self.cycle.scope["headers"], (b"connection", b"close")]

    def _wait(self, seconds: float | None = None) -> None:
        self._waiting = self.loop.call_later(HEAD_S if seconds is None else seconds, self._give_up)

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
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        return cycle is None or bool(cycle.response_complete)


class DrainingServer(uvicorn.Server):
    """Stops without dropping connections that wait to be accepted: closing their queue would reset them."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        waiting: list[socket.socket] = []
        for server in self.servers:
            for listener in server.sockets:
                waiting += _accept_all(listener.fileno())
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> Any:
        return GuardedProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _accept_all(listening: int) -> list[socket.socket]:
    """The connections that wait in the queue of a listening socket, which does not block."""
    accepted: list[socket.socket] = []
    with socket.socket(fileno=os.dup(listening)) as listener, contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            accepted.append(connection)
    return accepted
