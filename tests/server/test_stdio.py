"""The server as a host starts it: a process of its own, spoken to over stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final, Literal

import pytest
from mcp import Client, StdioServerParameters

from chatwoot_sandbox import Fault, Sandbox, serve
from support import PATIENCE_S, bare_environment, in_own_task

CANARY: Final = "canary-5d1c"
SERVER: Final = [sys.executable, "-m", "chatwoot_mcp"]
HANDSHAKE: Final[list[dict[str, Any]]] = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
]
META: Final[dict[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def environment(**more: str) -> dict[str, str]:
    return {**bare_environment(), "CHATWOOT_MCP_LOG_LEVEL": "DEBUG", **more}


def speak(
    lines: Sequence[bytes], *, until: int, base_url: str | None = None, args: Sequence[str] = (*SERVER, "--sandbox")
) -> tuple[list[dict[str, Any]], str]:
    """Write lines, wait for the answer to ``until``, close stdin, and wait for the end.

    Gives stdout as JSON objects, every byte of it, and stderr.
    """
    args = SERVER if base_url else args
    env = environment(CHATWOOT_BASE_URL=base_url, CHATWOOT_API_TOKEN=CANARY) if base_url else environment()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env) as server,  # noqa: S603
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        # A server may answer before all is written: both pipes are served at once.
        writing = threading.Thread(target=write_all, args=(server.stdin, lines))
        writing.start()
        out: list[dict[str, Any]] = []
        while not out or out[-1].get("id") != until:
            text = server.stdout.readline()
            assert text.endswith(b"\n"), "the server ended too early"
            out.append(json.loads(text))
        writing.join()
        server.stdin.close()
        assert server.stdout.read() == b""
        assert server.wait() == 0
        errors.seek(0)
        return out, errors.read().decode()


def write_all(pipe: IO[bytes], lines: Sequence[bytes]) -> None:
    for text in lines:
        pipe.write(text)
        pipe.flush()


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def call(number: int, arguments: str, *, modern: bool = False, tool: str = "create_conversation") -> bytes:
    """A call whose arguments are given as JSON text, valid or not."""
    meta = f', "_meta": {json.dumps(META)}' if modern else ""
    params = f'{{"name": "{tool}", "arguments": {arguments}{meta}}}'
    return f'{{"jsonrpc": "2.0", "id": {number}, "method": "tools/call", "params": {params}}}\n'.encode()


PAIR: Final = '{"inbox_id": 2, "contact_id": 1}'


@pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
def test_stdout_carries_json_rpc_alone_with_debug_logging_on(modern: bool) -> None:
    listing: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    if modern:
        listing["params"] = {"_meta": META}
    begin = [] if modern else [line(message) for message in HANDSHAKE]
    out, err = speak([*begin, line(listing), call(3, PAIR, modern=modern)], until=3)
    assert all(message["jsonrpc"] == "2.0" for message in out)
    answers = {message["id"]: message["result"] for message in out}
    assert sorted(answers) == ([2, 3] if modern else [1, 2, 3])
    assert answers[3]["structuredContent"]["outcome"] == "created"
    assert "tool=create_conversation outcome=created" in err
    assert "DEBUG" in err or "INFO" in err


PROBE: Final = {"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": META}}


def in_era(modern: bool) -> list[bytes]:
    begin = [] if modern else [line(message) for message in HANDSHAKE]
    return [*begin, call(2, PAIR, modern=modern)]


async def chat(*messages: bytes) -> list[dict[str, Any]]:
    """Send each message after the answer to the one before; the answers."""
    server = await asyncio.create_subprocess_exec(
        *SERVER,
        "--sandbox",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    out: list[dict[str, Any]] = []
    for message in messages:
        server.stdin.write(message)
        await server.stdin.drain()
        if b'"id"' in message:
            out.append(json.loads(await server.stdout.readline()))
    server.stdin.close()
    assert (await server.stdout.read(), await server.wait()) == (b"", 0)
    return out


def assert_served(out: Sequence[dict[str, Any]], modern: bool) -> None:
    answers = {message["id"]: message["result"] for message in out}
    assert "2026-07-28" in answers[0]["supportedVersions"]
    assert "io.modelcontextprotocol/serverInfo" in answers[0]["_meta"]
    assert modern or answers[1]["protocolVersion"] == "2025-11-25"
    assert answers[2]["structuredContent"]["outcome"] == "created"


@pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
async def test_a_client_that_probes_chooses_the_era_after_the_answer(modern: bool) -> None:
    out = await chat(line(PROBE), *in_era(modern))
    assert_served(out, modern)


@pytest.mark.parametrize("probes", [[PROBE], [PROBE, PROBE]], ids=["once", "twice"])
@pytest.mark.parametrize("modern", [True, False], ids=["2026-07-28", "2025-11-25"])
def test_a_client_that_did_not_wait_for_its_probe_is_served_in_either_era(
    modern: bool, probes: list[dict[str, Any]]
) -> None:
    """As when the server starts more slowly than the client waits: both requests lie in the pipe."""
    gave_up = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}
    out, err = speak([*map(line, probes), line(gave_up), *in_era(modern)], until=2)
    assert [message["id"] for message in out] == [0] * len(probes) + ([2] if modern else [1, 2])
    assert_served(out, modern)
    assert "Traceback" not in err


def test_a_probe_for_a_version_that_is_not_served_is_told_which_are() -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    out, _ = speak([line({**PROBE, "params": {"_meta": meta}}), *in_era(modern=False)], until=2)
    assert out[0]["error"]["code"] == -32022
    assert out[0]["error"]["data"]["supported"] == ["2026-07-28"]
    assert out[-1]["result"]["structuredContent"]["outcome"] == "created"


async def test_the_era_in_which_a_connection_worked_stays_its_era() -> None:
    out = await chat(line(PROBE), call(2, PAIR, modern=True), line(HANDSHAKE[0]))
    assert "result" in out[1]
    assert out[2]["error"]["code"] == -32022
    out = await chat(*in_era(modern=False), line({**PROBE, "id": 3}))
    assert out[-1]["error"]["code"] == -32600


@pytest.mark.parametrize("together", [False, True], ids=["one after the other", "together"])
def test_processes_on_one_sandbox_file_share_what_they_make(together: bool, tmp_path: Path) -> None:
    args = [*SERVER, "--sandbox", "--data", str(tmp_path / "sandbox.db")]

    def open_one(key: int) -> dict[str, Any]:
        arguments = json.dumps({"inbox_id": 2, "contact_id": 1, "idempotency_key": str(key)})
        out, _ = speak([*map(line, HANDSHAKE), call(2, arguments)], until=2, args=args)
        result: dict[str, Any] = out[-1]["result"]["structuredContent"]
        return result

    with ThreadPoolExecutor(4 if together else 1) as pool:
        made = list(pool.map(open_one, range(4)))
    assert sorted(each["conversation"]["id"] for each in made) == [42, 43, 44, 45]
    again = open_one(0)
    assert (again["outcome"], again["conversation"]["id"]) == ("already_created", made[0]["conversation"]["id"])


DEEP = '{"custom_attributes": ' + '{"a":' * 1000 + "1" + "}" * 1000 + ', "inbox_id": 2, "contact_id": 1}'
MANY = json.dumps({"inbox_id": 2, "contact_id": 1, **{f"key{n}": n for n in range(10_000)}})
MANY_ATTRIBUTES = json.dumps(
    {"inbox_id": 2, "contact_id": 1, "custom_attributes": {f"key{n}": n for n in range(10_000)}}
)
LARGE = json.dumps({"inbox_id": 2, "contact_id": 1, "message": {"content": "x" * 1024 * 1024}})

BAD_ARGUMENTS: Final = {
    "1 MB of text": LARGE,
    "10,000 unknown names": MANY,
    "10,000 attributes": MANY_ATTRIBUTES,
    "1e400": '{"inbox_id": 1e400, "contact_id": 1}',
    "1e400 inside": '{"inbox_id": 2, "contact_id": 1, "custom_attributes": {"a": 1e400}}',
    "NaN": '{"inbox_id": NaN, "contact_id": 1}',
    "NaN inside": '{"inbox_id": 2, "contact_id": 1, "custom_attributes": {"a": [NaN]}}',
    "a lone surrogate": '{"inbox_id": 2, "contact_id": 1, "message": {"content": "\\ud800"}}',
    "a huge number": '{"inbox_id": ' + "9" * 5000 + ', "contact_id": 1}',
    "1,000 deep": DEEP,
}
NO_MESSAGES: Final = {
    "an empty line": b"\n",
    "not JSON": b"hello\n",
    "half of a message": b'{"jsonrpc": "2.0", "id": 5\n',
    "invalid UTF-8": b'{"jsonrpc": "2.0", "id": 5, "method": "\xff\xfe"}\n',
    "invalid UTF-8 in an argument": call(5, '{"source_id": "\xff"}').replace(b"\xc3\xbf", b"\xff"),
    "a list": b"[1, 2]\n",
    "another version": b'{"jsonrpc": "1.0", "id": 5, "method": "tools/list"}\n',
    "no method": b'{"jsonrpc": "2.0", "id": 5}\n',
    "100,000 deep": b"[" * 100_000 + b"\n",
}


def test_whatever_comes_is_answered_with_an_error_and_the_server_goes_on() -> None:
    bad = [call(100 + n, arguments) for n, arguments in enumerate(BAD_ARGUMENTS.values())]
    not_params = line({"jsonrpc": "2.0", "id": 90, "method": "tools/call", "params": {"name": 5}})
    unknown = line({"jsonrpc": "2.0", "id": 91, "method": "no/such"})
    messages = [*map(line, HANDSHAKE), *NO_MESSAGES.values(), *bad, not_params, unknown, call(200, PAIR)]
    out, err = speak(messages, until=200)
    unreadable = [message["error"]["code"] for message in out if message.get("id") is None]
    answers = {message["id"]: message for message in out if message.get("id") is not None}
    # What no parser takes has no id to answer to: 1,000 levels, for one.
    assert set(unreadable) <= {-32700, -32600}
    failed = [answers[number] for number in range(100, 100 + len(bad)) if number in answers]
    assert len(failed) + len(unreadable) == len(bad) + len(NO_MESSAGES)
    for answer in failed:
        assert "error" in answer or answer["result"]["isError"] is True
        assert len(json.dumps(answer)) < 3_000
    assert answers[90]["error"]["code"] == -32602
    assert answers[91]["error"]["code"] == -32601
    assert answers[200]["result"]["structuredContent"]["outcome"] == "created"
    assert "Traceback" not in err
    assert err.count("outcome=created") == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_works_with_it_over_real_sockets_and_the_token_stays_secret(
    mode: Literal["auto", "legacy"],
) -> None:
    sandbox = Sandbox()
    sandbox.store.execute("UPDATE access_tokens SET token = ? WHERE token = 'sandbox-admin'", CANARY)
    async with serve(sandbox) as base_url:
        env = environment(CHATWOOT_BASE_URL=base_url, CHATWOOT_API_TOKEN=CANARY)
        server = StdioServerParameters(command=SERVER[0], args=SERVER[1:], env=env)
        async with in_own_task(Client(server, mode=mode)) as client:
            result = await client.call_tool(
                "create_conversation", {"inbox_id": 2, "contact_id": 1, "response_format": "detailed"}
            )
    sandbox.close()
    assert (result.structured_content or {})["outcome"] == "created"
    assert CANARY not in result.model_dump_json()


async def test_a_host_that_leaves_in_the_middle_of_a_write_does_not_tear_it_off(sandbox: Sandbox) -> None:
    arrived, take = asyncio.Event(), sandbox.faults.take

    def watched(method: str, path: str) -> Fault | None:
        if (fault := take(method, path)) is not None:
            arrived.set()
        return fault

    sandbox.faults.take = watched  # type: ignore[method-assign]
    sandbox.faults.add(Fault("latency", method="POST", path="/conversations$", delay_s=0.5))
    before = len(sandbox.store.rows("SELECT id FROM conversations"))
    async with serve(sandbox) as base_url:
        env = environment(CHATWOOT_BASE_URL=base_url, CHATWOOT_API_TOKEN="sandbox-admin")
        server = await asyncio.create_subprocess_exec(
            *SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        assert server.stdin is not None
        server.stdin.write(b"".join([*map(line, HANDSHAKE), call(2, PAIR)]))
        await server.stdin.drain()
        await arrived.wait()
        server.stdin.close()
        out, err = await server.communicate()
    assert server.returncode == 0
    assert len(sandbox.store.rows("SELECT id FROM conversations")) == before + 1
    assert "outcome=created" in err.decode()
    assert "cancelled=yes" in err.decode()
    assert all(json.loads(text)["jsonrpc"] == "2.0" for text in out.splitlines())


def test_a_chatwoot_that_cannot_be_reached_is_an_error_of_the_call_alone() -> None:
    out, err = speak([*map(line, HANDSHAKE), call(2, PAIR)], until=2, base_url="http://127.0.0.1:9")
    [answer] = [message for message in out if message["id"] == 2]
    assert answer["result"]["_meta"]["chatwoot/error"]["code"] == "unreachable"
    assert CANARY not in json.dumps(out) + err


def test_serving_a_real_chatwoot_imports_no_sandbox_http_server_or_command_line_helper() -> None:
    heavy = ["chatwoot_sandbox", "chatwoot_mcp.demo", "chatwoot_mcp.doctor", "chatwoot_mcp.hosts"]
    code = (
        "import sys\n"
        "from chatwoot_mcp.cli import main\n"
        "try:\n    main([])\n"
        f"except SystemExit:\n    sys.exit(' '.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    env = environment(CHATWOOT_BASE_URL="http://127.0.0.1:9", CHATWOOT_API_TOKEN="t")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        input=b"".join(map(line, HANDSHAKE)),
        capture_output=True,
        env=env,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
