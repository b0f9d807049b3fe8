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


Key = tuple[Limit, tuple[str, ...]]
"""A limit, and what its groups found: what is counted by itself."""

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
        self._turns: dict[Key, deque[float]] = {}

    def reserve(self, path: str, *, at_most_s: float) -> float:
        """Take the next turn for a path; gives the seconds until it comes, 0 mostly.

        Where that is ``at_most_s`` or more, no turn is taken.
        """
        now = self._clock()
        keys = [(limit, found.groups()) for limit in self._limits if (found := limit.pattern.search(path))]
        wait = max((self._wait(key, now) for key in keys), default=0.0)
        if wait < at_most_s:
            for key in keys:
                self._take(key, now + wait)
        return wait

    def _wait(self, key: Key, now: float) -> float:
        limit, turns = key[0], self._turns.get(key)
        return max(0.0, turns[0] + limit.period_s - now) if turns and len(turns) == limit.requests else 0.0

    def _take(self, key: Key, turn: float) -> None:
        """A counter is made with its first turn, so that none is ever empty."""
        if key not in self._turns:
            self._forget_the_idle()
            self._turns[key] = deque(maxlen=key[0].requests)
        self._turns[key].append(turn)

    def _forget_the_idle(self) -> None:
        if len(self._turns) >= MAX_COUNTERS:
            now = self._clock()
            self._turns = {key: turns for key, turns in self._turns.items() if turns[-1] + key[0].period_s > now}
