"""An embedded Chatwoot: its REST API as of v4.15.1, on SQLite, seeded, with faults on demand.

It follows Chatwoot to the letter, silent overrides and 500s included, and answers 501 to what it does not imitate.
The seeded accounts, tokens and ids are in ``seed``; its control endpoints in ``control``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatwoot_sandbox.app import build_app
from chatwoot_sandbox.faults import ConnectionCut, Fault, Faults
from chatwoot_sandbox.gate import Gate, RequestRecord
from chatwoot_sandbox.seed import seed
from chatwoot_sandbox.serve import serve
from chatwoot_sandbox.store import Store

__all__ = ["ConnectionCut", "Fault", "RequestRecord", "Sandbox", "serve"]


class Sandbox:
    """One embedded Chatwoot, in memory or in a file that is seeded when it is new.

    ``app`` is its ASGI app, ``faults`` the misbehaviour in force, ``requests`` what its API was asked so far, and
    ``store`` its data. ``clock`` gives unix seconds.
    """

    def __init__(self, path: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self.store = Store(path, clock)
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        app = build_app(self.store, self.faults, self.requests)
        self.gate = Gate(app, self.faults, self.requests, clock)
        with self.store.transaction():  # of several processes that begin on a new file at once, one seeds it
            if self.store.is_empty:
                self.store.create_tables()
                seed(self.store)

    @property
    def app(self) -> Gate:
        return self.gate

    def close(self) -> None:
        self.store.close()
