"""The embedded Chatwoot itself: its data, its app, its faults and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatwoot_sandbox.http.app import build_app
from chatwoot_sandbox.http.faults import Faults
from chatwoot_sandbox.http.gate import Gate, RequestRecord
from chatwoot_sandbox.jobs import Jobs
from chatwoot_sandbox.store.seed import seed
from chatwoot_sandbox.store.store import Store
from chatwoot_sandbox.store.world import World, read_world
from chatwoot_sandbox.versions import Version


class Sandbox:
    """One embedded Chatwoot, in memory or in a file that is filled with a world when it is new.

    ``app`` is its ASGI app, ``faults`` the misbehaviour in force, ``requests`` what its API has been asked, and
    ``store`` its data. ``clock`` gives unix seconds, ``chatwoot`` names the version that is imitated, such as ``4.11``.
    ``world`` is what it holds at first, as ``read_world`` gives it: the packaged one if None.
    ``jobs_after_s`` is how long after its answer Chatwoot runs its background jobs (activity lines, automatic
    assignment, delivery, surveys): 0 is before the next request is served, ``math.inf`` only when ``settle`` is called.
    """

    def __init__(
        self,
        path: str | None = None,
        clock: Callable[[], float] = time.time,
        chatwoot: str = "4.15",
        jobs_after_s: float = 0.0,
        world: World | None = None,
    ) -> None:
        self._jobs = Jobs(clock, jobs_after_s)
        self.store = Store(path, self._jobs, Version.of(chatwoot))
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        app = build_app(self.store, self.faults, self.requests, self._jobs)
        self.gate = Gate(app, self.faults, self.requests, self._jobs, clock)
        with self.store.transaction():  # if several processes start on a new file at once, only one seeds it
            if self.store.is_empty:
                self.store.create_tables()
                seed(self.store, world or read_world())

    @property
    def app(self) -> Gate:
        return self.gate

    def settle(self) -> None:
        """Run all background jobs now."""
        self._jobs.settle()

    def close(self) -> None:
        self.settle()
        self.store.close()
