"""How this package is installed: all texts that say it are made here, and the documents speak of a clone."""

from __future__ import annotations

from typing import Final

# The package index does not have it yet: whoever took the name there would run code beside the token.
INSTALL: Final = "in a clone of the repository, pip install '.[{extra}]'"


def install(extra: str) -> str:
    """What to do for an extra that is missing."""
    return INSTALL.format(extra=extra)
