"""From the start of the process to the answer of the first tools/list, beside a bare server of the same SDK.

Run: ``uv run python benchmarks/startup.py [rounds]``. Both are started in turn; the ratio of the medians is printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

BARE = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]
OURS = [sys.executable, "-m", "chatwoot_mcp"]
ENV = {
    "PATH": os.environ["PATH"],
    "CHATWOOT_BASE_URL": "https://chatwoot.test",
    "CHATWOOT_API_TOKEN": "token",
    "CHATWOOT_MCP_LOG_LEVEL": "WARNING",
}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode() + b"\n"


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV) as server:  # noqa: S603
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(LIST)
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        spent = time.perf_counter() - began
        server.stdin.close()
    assert answer["result"]["tools"]
    return spent


def main(rounds: int) -> None:
    seconds(BARE), seconds(OURS)  # the first reads files from disk
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(seconds(BARE))
        ours.append(seconds(OURS))
    floor, spent = statistics.median(bare), statistics.median(ours)
    sys.stdout.write(f"bare {floor * 1000:.0f} ms, chatwoot-mcp {spent * 1000:.0f} ms, ratio {spent / floor:.2f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
