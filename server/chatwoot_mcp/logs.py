"""Logging: one line per call to stderr, never an argument, never a token."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chatwoot_mcp.settings import Settings

OURS: Final = ("chatwoot_mcp", "chatwoot_tools", "aiochatwoot")


def configure_logging(settings: Settings, *, over_http: bool) -> None:
    """Our loggers at their level; libraries only from WARNING, as their lower levels print whole messages.

    Lines are for a person on stdio, for a collector of logs over HTTP, unless the settings say otherwise.
    """
    as_json = settings.log_format == "json" or (settings.log_format is None and over_http)
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(_JsonLines() if as_json else plain)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level)


class _JsonLines(logging.Formatter):
    """One JSON object per line. What a record has as ``fields`` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
