"""What one call may spend, what it has spent, and the name under which it can be found again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Budget:
    """The time of one call in all, over every request it makes, and what those requests were.

    ``seconds`` start to run when the budget is made; ``inf`` never ends. ``id`` is sent along with each request as
    ``X-Request-Id``, which Chatwoot writes into its own log. ``answers`` tells what each request met with: a status,
    or the class of the error. ``doing`` says in a few words what the call waits for.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds
        self.id = secrets.token_hex(8)
        self.requests = 0
        self.answers: list[str] = []
        self.doing = "starting"
        self.has_written = False
        self.is_withdrawn = False

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends_at - self._clock())

    def withdraw(self) -> None:
        """Nobody waits for the call any more: no write is begun from now on; reading goes on."""
        self.is_withdrawn = True

    @contextmanager
    def reserving(self, seconds: float) -> Generator[None]:
        """Spend less while inside, so that this much is left for what must follow."""
        self._ends_at -= seconds
        try:
            yield
        finally:
            self._ends_at += seconds
