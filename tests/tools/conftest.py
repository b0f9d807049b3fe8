"""The tools say the same whether Chatwoot's jobs run at once after its answer, or only when all is read back."""

from __future__ import annotations

import math

import pytest


@pytest.fixture(params=[0.0, pytest.param(math.inf, marks=pytest.mark.long)], ids=["jobs at once", "jobs held back"])
def jobs_after_s(request: pytest.FixtureRequest) -> float:
    return float(request.param)
