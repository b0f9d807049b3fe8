"""Fixtures for all rooms."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from chatwoot_sandbox import Sandbox
from support import Bench


@pytest.fixture
def jobs_after_s() -> float:
    """How long after its answer Chatwoot does what it leaves to jobs; infinity: at ``sandbox.settle()``."""
    return 0.0


@pytest.fixture
def sandbox(jobs_after_s: float) -> Generator[Sandbox]:
    made = Sandbox(jobs_after_s=jobs_after_s)
    yield made
    made.close()


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    """An administrator's desk on a fresh sandbox."""
    return Bench(sandbox)
