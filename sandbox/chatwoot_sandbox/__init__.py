"""An embedded Chatwoot: its REST API as of v4.15.1 (or an older one), on SQLite, seeded, with faults on demand.

It behaves as Chatwoot does, silent overrides and 500s included, and answers 501 to what it does not imitate.
What it holds at first is in ``store/world.json``; its control endpoints are in ``http/control.py``.
"""

from __future__ import annotations

from chatwoot_sandbox.http.faults import ConnectionCut, Fault
from chatwoot_sandbox.http.gate import RequestRecord
from chatwoot_sandbox.sandbox import Sandbox
from chatwoot_sandbox.serve import serve
from chatwoot_sandbox.store.world import WorldInvalid, read_world

__all__ = ["ConnectionCut", "Fault", "RequestRecord", "Sandbox", "WorldInvalid", "read_world", "serve"]
