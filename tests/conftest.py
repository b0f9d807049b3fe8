"""Fixtures for all rooms."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from chatwoot_sandbox import Sandbox
from support import Bench


@pytest.fixture
def sandbox() -> Generator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    """An administrator's desk on a fresh sandbox."""
    return Bench(sandbox)
