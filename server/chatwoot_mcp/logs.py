"""Logging: one line per call to stderr, never an argument, never a token."""

from __future__ import annotations

import logging
import sys
from typing import Final

OURS: Final = ("chatwoot_mcp", "chatwoot_tools", "aiochatwoot")


def configure_logging(level: str) -> None:
    """Our loggers at ``level``; libraries only from WARNING, as their lower levels print whole messages."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
