"""Figures for Prometheus: no name of a caller, no id, no text."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from chatwoot_mcp.records import CallRecord

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45)
_RECONCILED: Final = {"recovered", "outcome_unknown"}


class Metrics:
    """Of one process, or of all workers where ``PROMETHEUS_MULTIPROC_DIR`` is set (``--workers`` sets it)."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter("chatwoot_mcp_calls", "Tool calls", ["tool", "outcome"], registry=self._registry)
        self._seconds = Histogram(
            "chatwoot_mcp_call_seconds", "Duration of tool calls", ["tool"], buckets=_SECONDS, registry=self._registry
        )
        self._upstream = Counter(
            "chatwoot_mcp_upstream_requests", "Requests to Chatwoot", ["answer"], registry=self._registry
        )
        self._reconciled = Counter(
            "chatwoot_mcp_reconciliations", "Writes whose answer was lost", ["outcome"], registry=self._registry
        )
        self._held_back = Counter(
            "chatwoot_mcp_circuit_refusals", "Calls that failed at once, as Chatwoot is down", registry=self._registry
        )
        self._refusals = Counter(
            "chatwoot_mcp_refusals", "Requests refused before a tool ran", ["kind"], registry=self._registry
        )
        self.open_circuits = Gauge(
            "chatwoot_mcp_open_circuits",
            "Callers for whom Chatwoot counts as down",
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self.in_flight = Gauge(
            "chatwoot_mcp_in_flight",
            "HTTP requests being answered",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def observe(self, record: CallRecord) -> None:
        self._calls.labels(record.tool, record.outcome).inc()
        self._seconds.labels(record.tool).observe(record.ms / 1000)
        for answer in record.answers:
            self._upstream.labels(answer).inc()
        if record.outcome in _RECONCILED:
            self._reconciled.labels(record.outcome).inc()
        if record.outcome == "unreachable" and not record.answers:
            self._held_back.inc()

    def refused(self, kind: str) -> None:
        self._refusals.labels(kind).inc()

    def text(self) -> bytes:
        """In Prometheus's exposition format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
