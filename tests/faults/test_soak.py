"""The soak in its small version; ``benchmarks/soak.py`` has the large one."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from chatwoot_sandbox import Sandbox
from faults.proxy import proxy, seeded
from faults.soak import Soak, balance

pytestmark = pytest.mark.long


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_call_says_what_it_did_while_a_fifth_of_all_requests_fails(sandbox: Sandbox, seed: int) -> None:
    async def no_wait(_: float) -> None:
        await asyncio.sleep(0)

    gc.collect()
    tasks, files = len(asyncio.all_tasks()), open_files()
    async with proxy(sandbox, seeded(seed, 0.2)) as there:
        soak = Soak(there.base_url, seed, no_wait)
        await soak.run(200, 32)
        await soak.aclose()
    books = balance(soak.outcomes, sandbox.store.rows)
    assert books.wrong == []
    assert books.codes["outcome_unknown"] <= 4
    assert books.codes["ok"] > 120
    assert len({str(seen.fault) for seen in there.seen}) > 15
    gc.collect()
    assert (len(asyncio.all_tasks()), open_files()) == (tasks, files)
