"""Requests per second and latency over HTTP, beside a bare server of the SDK with one empty tool.

Run: ``uv run --extra fast python benchmarks/http_load.py [seconds]``; needs wrk (Debian's package of that name). For
each number of clients and workers, interleaved in one run: an empty tool of a bare server; ours with a call that asks
Chatwoot nothing (a dry run, everything cached); ours with a call that asks it twice (the sandbox, in a process of its
own). All on one machine, so that wrk and the sandbox take their share of its cores.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

CLIENTS = (1, 10, 50, 200)
WORKERS = (1, 2)
DRY = {"name": "create_conversation", "arguments": {"inbox_id": 2, "contact_id": 1, "status": "open", "dry_run": True}}
READ = {"name": "get_conversation", "arguments": {"conversation_id": 4}}
EMPTY: dict[str, Any] = {"name": "nothing", "arguments": {}}
VERSION = "2026-07-28"
KEY = "io.modelcontextprotocol"


def bare_app() -> Starlette:
    from bare_server import bare_server

    return bare_server().streamable_http_app(stateless_http=True, json_response=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def script(call: dict[str, Any], folder: str) -> str:
    """What wrk sends, as the current protocol has it."""
    meta = {f"{KEY}/protocolVersion": VERSION, f"{KEY}/clientCapabilities": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**call, "_meta": meta}})
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": call["name"],
    }
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    path = Path(folder) / f"{call['name']}.lua"
    path.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = [[{body}]]", *lines]), encoding="utf-8")
    return str(path)


def start(*command: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *command], env={**os.environ, **env}, stderr=subprocess.DEVNULL)  # noqa: S603


def wait_for(port: int, path: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return


def wrk(port: int, lua: str, clients: int, seconds: int) -> tuple[float, float, float]:
    """Requests per second, and the median and 99th percentile of latency in milliseconds."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", lua]
    out = subprocess.run([*command, f"http://127.0.0.1:{port}/mcp"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert "Non-2xx" not in out, out
    rate = float(re.findall(r"Requests/sec: +([\d.]+)", out)[0])
    return rate, *(milliseconds(re.findall(rf"{part}% +([\d.]+\w+)", out)[0]) for part in (50, 99))


def milliseconds(text: str) -> float:
    value, unit = re.findall(r"([\d.]+)(\w+)", text)[0]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def main(seconds: int) -> None:
    sandbox_port = free_port()
    sandbox = start("-m", "chatwoot_mcp", "sandbox", "--port", str(sandbox_port))
    wait_for(sandbox_port, "/api")
    chatwoot = {"CHATWOOT_BASE_URL": f"http://127.0.0.1:{sandbox_port}", "CHATWOOT_API_TOKEN": "sandbox-admin"}
    quiet = {"CHATWOOT_MCP_LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory() as folder:
        for workers in WORKERS:
            ports = {"bare": free_port(), "ours": free_port()}
            servers = [
                start(__file__, "bare", str(ports["bare"]), str(workers)),
                start(
                    "-m",
                    "chatwoot_mcp",
                    "http",
                    "--port",
                    str(ports["ours"]),
                    "--workers",
                    str(workers),
                    **chatwoot,
                    **quiet,
                ),
            ]
            wait_for(ports["bare"], "/mcp")
            wait_for(ports["ours"], "/healthz")
            for clients in CLIENTS:
                for what, port, call in (
                    ("empty tool", "bare", EMPTY),
                    ("dry run", "ours", DRY),
                    ("two requests", "ours", READ),
                ):
                    wrk(ports[port], script(call, folder), clients, 1)
                    rate, median, worst = wrk(ports[port], script(call, folder), clients, seconds)
                    line = f"| {workers} | {clients} | {what} | {rate:.0f} | {median:.1f} | {worst:.1f} |\n"
                    sys.stdout.write(line)
                    sys.stdout.flush()
            for server in servers:
                server.terminate()
                server.wait()
    sandbox.terminate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        sys.path.insert(0, str(Path(__file__).parent))
        options: dict[str, Any] = {"port": int(sys.argv[2]), "workers": int(sys.argv[3]), "log_level": "critical"}
        uvicorn.run("http_load:bare_app", factory=True, app_dir=str(Path(__file__).parent), **options)
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
