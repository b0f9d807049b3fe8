"""Keeping below the throttles that Chatwoot documents, so that it need not refuse.

Its 429 tells nothing of when to come back, so running into one costs more than waiting for one's turn.
"""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiochatwoot.loopback import is_loopback

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
    return () if is_loopback(urlsplit(base_url).hostname) else LIMITS


class Throttle:
    """In any period no more requests than the limits allow, however Chatwoot's own windows lie.

    Chatwoot counts what all callers of an address send together, so one of these is for all of them. A caller that is
    named never takes more than it leaves: in the end as much as each other, with as much again for whoever comes next.
    """

    def __init__(self, limits: tuple[Limit, ...] = LIMITS, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._turns: dict[Key, _Turns] = {}

    def reserve(self, path: str, *, at_most_s: float, caller: str | None = None) -> float:
        """Take the next turn for a path; gives the seconds until it comes, 0 mostly.

        Where that is ``at_most_s`` or more, no turn is taken. Without a caller there are no others to leave any.
        """
        now = self._clock()
        keys = [(limit, found.groups()) for limit in self.limits if (found := limit.pattern.search(path))]
        wait = max((self._turns[key].wait(caller, now) for key in keys if key in self._turns), default=0.0)
        if wait < at_most_s:
            for key in keys:
                self._take(key, caller, now + wait)
        return wait

    def _take(self, key: Key, caller: str | None, turn: float) -> None:
        """A counter is made with its first turn, so that none is ever empty."""
        if key not in self._turns:
            self._forget_the_idle()
            self._turns[key] = _Turns(key[0])
        self._turns[key].take(caller, turn)

    def _forget_the_idle(self) -> None:
        if len(self._turns) >= MAX_COUNTERS:
            now = self._clock()
            self._turns = {key: turns for key, turns in self._turns.items() if not turns.is_idle(now)}


class _Turns:
    """The turns that a limit still counts, earliest first, and whose they are."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._turns: deque[tuple[float, str | None]] = deque()
        self._each: Counter[str | None] = Counter()

    def is_idle(self, now: float) -> bool:
        return self._turns[-1][0] + self._limit.period_s <= now

    def wait(self, caller: str | None, now: float) -> float:
        """The seconds until all have taken less than the limit, a named caller's own counted twice."""
        self._forget(now)
        own = 1 if caller is None else 2
        over = len(self._turns) + (own - 1) * self._each[caller] - self._limit.requests
        free = now
        for turn, whose in self._turns:
            if over < 0:
                break
            over -= own if whose == caller else 1
            free = turn + self._limit.period_s
        return max(0.0, free - now)

    def take(self, caller: str | None, turn: float) -> None:
        """It may lie before those that others wait for."""
        index = len(self._turns)
        while index and self._turns[index - 1][0] > turn:
            index -= 1
        self._turns.insert(index, (turn, caller))
        self._each[caller] += 1

    def _forget(self, now: float) -> None:
        while self._turns and self._turns[0][0] + self._limit.period_s <= now:
            _, whose = self._turns.popleft()
            self._each[whose] -= 1
            if not self._each[whose]:
                del self._each[whose]
