"""Fixtures of the web tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatwoot_mcp.web.grants import Grant, GrantsFile


@pytest.fixture
def callers_file(tmp_path: Path) -> GrantsFile:
    return GrantsFile(tmp_path / "callers.json")


@pytest.fixture
def key(callers_file: GrantsFile) -> str:
    """A key that may do all that the settings allow."""
    return callers_file.add(Grant(name="helpdesk"))
