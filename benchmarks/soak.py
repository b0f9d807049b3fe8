"""2,000 mixed calls, 32 at a time, while a fifth of all requests meets a fault: are the books right, and does it leak?

Run: ``uv run python benchmarks/soak.py [calls] [seed]``. The sandbox and its faults run in a process of their own, so
that what is measured of memory, tasks and files is the caller's alone. Exits with 1 if a claim does not hold.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from chatwoot_sandbox import Sandbox
from faults.proxy import proxy, seeded
from faults.soak import Soak, balance

AT_ONCE = 32
RATE = 0.2


async def upstream(data: str, seed: int) -> None:
    """Serve until stdin closes; the address goes to stdout."""
    sandbox = Sandbox(data)
    sandbox.requests = type("Forgetful", (list,), {"append": lambda *_: None})()
    async with proxy(sandbox, seeded(seed, RATE)) as there:
        there.seen = type("Forgetful", (list,), {"append": lambda *_: None})()
        sys.stdout.write(f"{there.base_url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    sandbox.close()


def resident_kib() -> int:
    """What is in use: the C library is asked to give back what large answers left free."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def soak(base_url: str, calls: int, seed: int) -> tuple[Soak, list[str]]:
    tasks = len(asyncio.all_tasks())
    running = Soak(base_url, seed)
    began = time.perf_counter()
    memory: list[int] = []
    for _ in range(2):
        await running.run(calls // 2, AT_ONCE)
        memory.append(resident_kib())
    spent = time.perf_counter() - began
    await running.aclose()
    growth = memory[1] / memory[0] - 1
    sys.stdout.write(f"{calls} calls in {spent:.0f} s; memory after the halves {memory} KiB: {growth:+.1%}\n")
    wrong: list[str] = [] if growth <= 0.05 else [f"memory grew by {growth:.1%}"]
    left = len(asyncio.all_tasks()) - tasks
    return running, [*wrong, *([f"{left} tasks left"] if left else [])]


def main(calls: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/sandbox.sqlite"
        command = [sys.executable, __file__, "upstream", data, str(seed)]
        files = open_files()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            assert server.stdout is not None
            running, wrong = asyncio.run(soak(server.stdout.readline().strip(), calls, seed))
        connection = sqlite3.connect(data)
        connection.row_factory = sqlite3.Row

        def rows(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        books = balance(running.outcomes, rows)
        connection.close()
    wrong += books.wrong
    unknown = books.codes["outcome_unknown"]
    if unknown * 200 >= calls:
        wrong.append(f"{unknown} times outcome_unknown")
    if open_files() > files:
        wrong.append(f"{open_files() - files} files left open")
    sys.stdout.write(f"{dict(books.codes.most_common())}\n")
    for line in wrong:
        sys.stdout.write(f"WRONG: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["upstream"]:
        asyncio.run(upstream(sys.argv[2], int(sys.argv[3])))
    else:
        numbers = [int(value) for value in sys.argv[1:]]
        sys.exit(main(numbers[0] if numbers else 2000, numbers[1] if len(numbers) > 1 else 1))
