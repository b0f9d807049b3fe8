"""What Chatwoot does after its answer, in background jobs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

Job = Callable[[], object]


class Jobs:
    """The queue, and the clock that dates the data: while a job runs, it shows when the job was due.

    Jobs are due ``after_s`` seconds later, and run before the next request is served. With 0 that is at once, with
    infinity only ``settle`` runs them. There is no timer, so nothing is left running at the end.
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
        """Run all of them, and those that they add."""
        self._run(math.inf)

    def _run(self, until: float) -> None:
        try:
            while self._queue and self._queue[0][0] <= until:
                due, job = self._queue.popleft()
                self._due = min(due, self._clock())
                job()
        finally:
            self._due = None
