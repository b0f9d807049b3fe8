"""What Chatwoot does after its answer, in the order in which it was left to do."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

Job = Callable[[], object]


class Jobs:
    """The queue, and the clock that the data is dated by: a job's moment is when it was due, not when it was run.

    Jobs come due ``after_s`` seconds later, and are run before the next request is served; 0 is at once, infinity
    never but by ``settle``. No timer runs, so nothing is left over at the end.
    """

    def __init__(self, clock: Callable[[], float], after_s: float = 0.0) -> None:
        self._clock = clock
        self._after_s = after_s
        self._queue: deque[tuple[float, Job]] = deque()
        self._due: float | None = None

    def now(self) -> float:
        """Unix seconds."""
        return self._clock() if self._due is None else self._due

    def add(self, job: Job) -> None:
        self._queue.append((self.now() + self._after_s, job))

    def run_due(self) -> None:
        self._run(self._clock())

    def settle(self) -> None:
        """Run all, with those that they leave to do in turn."""
        self._run(math.inf)

    def _run(self, until: float) -> None:
        try:
            while self._queue and self._queue[0][0] <= until:
                due, job = self._queue.popleft()
                self._due = min(due, self._clock())
                job()
        finally:
            self._due = None
