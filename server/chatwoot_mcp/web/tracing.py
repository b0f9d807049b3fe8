"""Traces of the SDK's own hooks, for whoever collects them. The spans name tools, never an argument."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from chatwoot_mcp.install import install

_WANTED_BY: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

FLUSH_MS: Final = 3_000

_log = logging.getLogger("chatwoot_mcp.web")


def configure_tracing() -> None:
    """Send spans where OpenTelemetry's own variables say; without them nothing is traced."""
    if not any(os.environ.get(name) for name in _WANTED_BY):
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("%s is set, but nothing is traced: %s", " or ".join(_WANTED_BY), install("otel"))
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "chatwoot-mcp"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


async def flush_traces() -> None:
    """Send the spans that wait: a server that was told to stop runs nothing at its exit."""
    from opentelemetry import trace

    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        await asyncio.to_thread(flush, FLUSH_MS)
