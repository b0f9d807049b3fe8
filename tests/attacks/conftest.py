"""Fixtures of the attacks."""

from web.conftest import callers_file, key

__all__ = ["callers_file", "key"]
