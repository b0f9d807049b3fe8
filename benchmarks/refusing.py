"""What refusing one bad request costs over HTTP: time until the refusal is there, and growth of the server's memory.

Run: ``uv run python benchmarks/refusing.py [rounds]``, on Linux. A server in a process of its own, which callers reach
with a key or with a Chatwoot token that they bring; each kind of request is sent without a credential, with a token
that is made up, and with a key. Printed are medians of the rounds, of the time until the refusal was there and of the
server's time on a processor, and the largest growth beyond the memory before.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from chatwoot_mcp.web.grants import Grant, GrantsFile
from http_load import VERSION, free_port, start, wait_for

SIZE = 2 * 1024 * 1024 - 1024
META = {
    f"io.modelcontextprotocol/{name}": value
    for name, value in (("protocolVersion", VERSION), ("clientCapabilities", {}))
}


def many(item: str) -> str:
    return f"[{','.join([item] * (SIZE // (len(item) + 1) - 50))}]"


def names(value: str) -> str:
    pairs = (f'"name{at:07}":{value}' for at in range(SIZE // (15 + len(value)) - 50))
    return f"{{{','.join(pairs)}}}"


def call(tool: str, arguments: str) -> bytes:
    params = f'{{"name":"{tool}","_meta":{json.dumps(META)},"arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'.encode()


def update(field: str, value: str) -> bytes:
    return call("update_conversation", f'{{"conversation_id":2,"{field}":{value}}}')


REQUESTS: dict[str, bytes] = {
    "no JSON": b"{" * SIZE,
    "JSON nested without end": b"[" * SIZE,
    "a body beyond the cap": b" " * (4 * SIZE),
    "an unknown tool, with much": call("nosuch", names("1")),
    "labels: 50,000 lists": update("add_labels", f"[{','.join(['[]'] * 49_000)}]"),
    "labels: a million numbers": update("add_labels", many("1")),
    "labels: as one JSON text": update("add_labels", json.dumps(many("1")[: SIZE // 2])),
    "labels: 700,000 lists": update("add_labels", many("[]")),
    "include: a million numbers": call("find_contacts", f'{{"query":"a","include":{many("1")}}}'),
    "attributes to unset: 700,000 objects": update("unset_custom_attributes", many("{}")),
    "130,000 unknown arguments": call("get_conversation", names("1")),
    "attributes: 80,000 numbers too large": update("custom_attributes", names("99999999999")),
    "attributes: a long list inside": update("custom_attributes", f'{{"k":{many("1")}}}'),
    "attributes: as JSON text of a megabyte": update("custom_attributes", json.dumps(names("1")[: SIZE // 2])),
    "attributes: nested too deep": update("custom_attributes", f'{{"k":{many("[" * 40 + "]" * 40)}}}'),
    "an id of two million digits": update("assignee", json.dumps("9" * SIZE)),
    "a name of two million characters": call("get_conversation", f'{{"{"x" * SIZE}":1}}'),
}


class Server:
    """Ours, in a process of its own."""

    def __init__(self, folder: str) -> None:
        callers = {"CHATWOOT_MCP_CALLERS_FILE": f"{folder}/callers.json", "CHATWOOT_MCP_CALLER_TOKENS": "true"}
        self.key = GrantsFile(Path(folder) / "callers.json").add(Grant(name="benchmark"))
        self.port = free_port()
        command = ("-m", "chatwoot_mcp", "http", "--sandbox", "--port", str(self.port))
        self.process = start(*command, **callers, CHATWOOT_MCP_LOG_LEVEL="ERROR")
        wait_for(self.port, "/healthz")
        self._proc = Path(f"/proc/{self.process.pid}")

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float]:
        """Status, answer, and seconds until it was there."""
        about: dict[str, str] = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        began = time.perf_counter()
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            connection.request("POST", "/mcp", body, {**about, **named(body), **headers})
        answer = connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - began
        connection.close()
        return answer.status, content, took

    def refused(self, body: bytes, headers: dict[str, str]) -> tuple[int, float, float, float]:
        """Status, seconds, those on a processor, and MiB by which the most memory in use exceeded that before."""
        (self._proc / "clear_refs").write_text("5")
        before, spent = self._memory("VmRSS"), self._spent()
        status, content, took = self.post(body, headers)
        assert is_refusal(status, content), content[:300]
        return status, took, self._spent() - spent, (self._memory("VmHWM") - before) / 1024

    def _spent(self) -> float:
        return sum(int(each.read_text().split()[0]) for each in self._proc.glob("task/*/schedstat")) / 1e9

    def _memory(self, name: str) -> int:
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def named(body: bytes) -> dict[str, str]:
    before, found, after = body[:200].partition(b'"params":{"name":"')
    return {"mcp-name": after.split(b'"')[0].decode()} if found and before else {}


def is_refusal(status: int, content: bytes) -> bool:
    return status >= 400 or "error" in (answer := json.loads(content)) or answer["result"].get("isError") is True


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        credentials = {
            "none": {},
            "made-up token": {"x-chatwoot-token": "made-up"},
            "key": {"authorization": f"Bearer {server.key}"},
        }
        sys.stdout.write("| request | credential | answer | ms | of processor | MiB |\n|---|---|---|---|---|---|\n")
        for kind, body in REQUESTS.items():
            for credential, headers in credentials.items():
                answers = [server.refused(body, headers) for _ in range(rounds)]
                [status] = {each[0] for each in answers}
                took, spent = (statistics.median(each[at] for each in answers) * 1000 for at in (1, 2))
                growth = max(each[3] for each in answers)
                sys.stdout.write(f"| {kind} | {credential} | {status} | {took:.0f} | {spent:.0f} | {growth:.0f} |\n")
                sys.stdout.flush()
        server.process.terminate()
        server.process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
