"""Keeping below the throttles that Chatwoot documents, so that it need not refuse.

Its 429 tells nothing of when to come back, so running into one costs more than waiting for one's turn.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

MAX_COUNTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in ``period_s`` seconds, to the paths that ``pattern`` finds; each of its groups by itself."""

    pattern: re.Pattern[str]
    requests: int
    period_s: float = 60.0


LIMITS: Final = (
    Limit(re.compile(""), 3000),
    Limit(re.compile(r"/accounts/(\d+)/contacts/search$"), 100),
    Limit(re.compile(r"/accounts/(\d+)/conversations/meta$"), 30),
    Limit(re.compile(r"/api/v2/accounts/(\d+)/reports"), 100),
    Limit(re.compile(r"/accounts/(\d+)/conversations/\d+/transcript$"), 1000, 3600.0),
    Limit(re.compile(r"/accounts/(\d+)/upload$"), 60, 3600.0),
)
"""Chatwoot's defaults (v4.15.1, config/initializers/rack_attack.rb)."""


def limits_for(base_url: str) -> tuple[Limit, ...]:
    """None on loopback: Chatwoot does not throttle what comes from there."""
    host = urlsplit(base_url).hostname or ""
    loopback = host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdecimal())
    return () if loopback else LIMITS


class Throttle:
    """In any period no more requests than the limits allow, however Chatwoot's own windows lie."""

    def __init__(self, limits: tuple[Limit, ...] = LIMITS, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._turns: dict[tuple[Limit, tuple[str, ...]], deque[float]] = {}

    def reserve(self, path: str, *, at_most_s: float) -> float:
        """Take the next turn for a path; gives the seconds until it comes, 0 mostly.

        Where that is ``at_most_s`` or more, no turn is taken.
        """
        now = self._clock()
        counters = [
            self._counter(limit, found.groups()) for limit in self._limits if (found := limit.pattern.search(path))
        ]
        wait = max((_wait(limit, turns, now) for limit, turns in counters), default=0.0)
        if wait < at_most_s:
            for _, turns in counters:
                turns.append(now + wait)
        return wait

    def _counter(self, limit: Limit, groups: tuple[str, ...]) -> tuple[Limit, deque[float]]:
        key = (limit, groups)
        if key not in self._turns:
            self._forget_the_idle()
            self._turns[key] = deque(maxlen=limit.requests)
        return limit, self._turns[key]

    def _forget_the_idle(self) -> None:
        if len(self._turns) >= MAX_COUNTERS:
            now = self._clock()
            self._turns = {key: turns for key, turns in self._turns.items() if turns[-1] + key[0].period_s > now}


def _wait(limit: Limit, turns: deque[float], now: float) -> float:
    return max(0.0, turns[0] + limit.period_s - now) if len(turns) == limit.requests else 0.0
