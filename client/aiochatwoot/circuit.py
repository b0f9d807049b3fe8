"""While Chatwoot is down: failing at once instead of letting every call find out anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from aiochatwoot.errors import (
    ChatwootError,
    CircuitOpen,
    ConnectionLost,
    DeadlineExceeded,
    RateLimited,
    ServerError,
    TimedOut,
    Unreachable,
    Withdrawn,
)

FAILURES: Final = 5
"""In a row, before Chatwoot counts as down."""
SILENCE_S: Final = 10.0
"""And for so long nothing may have succeeded: under load a few failures in a row are chance."""
PAUSE_S: Final = 5.0
"""How long requests then fail at once; after that one is let through to see."""


class Circuit:
    """Open while Chatwoot is down. ``check`` before each request, ``learn`` after it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._succeeded_at = float("-inf")
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def check(self) -> None:
        """Raises CircuitOpen. Where the pause is over, this request is the one that is let through."""
        if self._open_until is None:
            return
        now = self._clock()
        if now < self._open_until:
            raise CircuitOpen(self._open_until - now)
        self._open_until = now + PAUSE_S

    def learn(self, failure: ChatwootError | None) -> None:
        """What became of a request: None for a good answer."""
        if failure is None or _comes_from_chatwoot(failure):
            self._failures, self._succeeded_at, self._open_until = 0, self._clock(), None
        elif _means_down(failure):
            self._failures += 1
            if self._failures >= FAILURES and self._clock() - self._succeeded_at >= SILENCE_S:
                self._open_until = self._clock() + PAUSE_S


def _comes_from_chatwoot(failure: ChatwootError) -> bool:
    """Its application answered, if only with an error."""
    if isinstance(failure, ServerError):
        return not _is_gateways(failure)
    return isinstance(failure, RateLimited) or (failure.http_status is not None and 400 <= failure.http_status < 500)


def _means_down(failure: ChatwootError) -> bool:
    """A call's own deadline, or its end, says more about the call than about Chatwoot."""
    if isinstance(failure, ServerError):
        return _is_gateways(failure)
    if isinstance(failure, DeadlineExceeded | Withdrawn):
        return False
    return isinstance(failure, Unreachable | TimedOut | ConnectionLost)


def _is_gateways(failure: ServerError) -> bool:
    return failure.http_status in {502, 503, 504}
