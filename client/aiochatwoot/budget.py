"""What one call may spend, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Budget:
    """The time of one call in all, over every request it makes, and a count of those requests.

    ``seconds`` start to run when the budget is made; ``inf`` never ends.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds
        self.requests = 0

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends_at - self._clock())

    @contextmanager
    def keeping_back(self, seconds: float) -> Generator[None]:
        """Spend less while inside, so that this much is left for what must follow."""
        self._ends_at -= seconds
        try:
            yield
        finally:
            self._ends_at += seconds
