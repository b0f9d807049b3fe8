"""Time that passes only while there is nothing to do: how slow the machine is does not show in it.

It is for what happens within one process, over its own sockets too: where no socket is ready, nothing is on its way.
"""

from __future__ import annotations

import asyncio
import selectors

_IN_FLIGHT_S = 0.05
"""So long a kernel may take, at most, from a send on loopback until the other end is ready."""


class _Skipping(selectors.DefaultSelector):
    """Goes on to the next timer instead of waiting for it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(min(timeout, _IN_FLIGHT_S))
        if not ready:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers, and whose ``time``, obey such a time."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now
