"""The command line, as a person types it."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chatwoot_mcp import __version__
from chatwoot_mcp.hosts import command_path
from chatwoot_mcp.known_hosts import HOSTS
from chatwoot_sandbox import Fault, Sandbox, serve
from chatwoot_sandbox.versions import KNOWN
from support import PATIENCE_S, bare_environment

COMMAND: Final = [sys.executable, "-m", "chatwoot_mcp"]


def run(*args: str, command: Sequence[str] = COMMAND, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it with only the environment given."""
    return subprocess.run(  # noqa: S603
        [*command, *args],
        capture_output=True,
        text=True,
        env={**bare_environment(), **env},
        timeout=PATIENCE_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_version_and_help_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from chatwoot_mcp.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    sys.exit(' '.join(n for n in ('mcp', 'pydantic', 'httpx', 'anyio') if n in sys.modules) or 0)"
    )
    version = run("--version", command=[sys.executable, "-c", code])
    assert (version.returncode, version.stdout, version.stderr) == (0, f"chatwoot-mcp {__version__}\n", "")
    shown = run("--help", command=[sys.executable, "-c", code])
    assert shown.returncode == 0
    for command in ("stdio", "demo", "sandbox", "doctor", "tools", "config", "--sandbox"):
        assert command in shown.stdout


def test_without_settings_it_says_what_is_missing_and_how_to_try_it() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    for named in ("CHATWOOT_BASE_URL", "CHATWOOT_API_TOKEN", "CHATWOOT_ACCOUNT_ID", "--sandbox"):
        assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [(), ("stdio",), ("doctor",), ("--sandbox",), ("tools",)])
def test_a_wrong_setting_is_named_and_ends_with_2(command: tuple[str, ...]) -> None:
    done = run(*command, CHATWOOT_BASE_URL="http://127.0.0.1:1", CHATWOOT_API_TOKEN="t", CHATWOOT_MCP_DEADLINE_S="soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert "CHATWOOT_MCP_DEADLINE_S" in done.stderr
    assert "soon" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        *(["nosuch"], ["config"], ["config", "emacs"], ["sandbox", "--port", "x"], ["--data", "x"]),
        *(["sandbox", "--jobs-after", wrong] for wrong in ("-1", "nan", "soon")),
    ],
)
def test_a_wrong_call_ends_with_2(args: list[str]) -> None:
    assert run(*args).returncode == 2


def test_tools_are_shown_with_their_size_and_as_json() -> None:
    plain = run("tools").stdout.splitlines()
    listed: list[dict[str, Any]] = json.loads(run("tools", "--json").stdout)
    assert [line.split()[0] for line in plain[:-1]] == [tool["name"] for tool in listed]
    size = sum(len(json.dumps(tool, separators=(",", ":"), ensure_ascii=False).encode()) for tool in listed)
    assert plain[-1] == f"{len(listed)} tools, {size} bytes"
    assert "create_conversation" not in run("tools", CHATWOOT_MCP_READ_ONLY="1").stdout


@pytest.mark.parametrize("host", HOSTS)
def test_the_printed_configuration_names_a_command_that_is_there(host: str) -> None:
    done = run("config", host)
    assert done.returncode == 0
    assert command_path() in done.stdout
    assert Path(command_path()).is_absolute()
    assert Path(command_path()).exists()
    if host in {"claude-code", "inspector"}:
        assert all(shlex.split(line) for line in done.stdout.splitlines())
    else:
        snippet: dict[str, dict[str, Any]] = json.loads(done.stdout.partition("\n")[2])
        [entries] = snippet.values()
        assert entries["chatwoot-sandbox"]["args"] == ["--sandbox"]
        assert set(entries["chatwoot"]["env"]) == {"CHATWOOT_BASE_URL", "CHATWOOT_API_TOKEN", "CHATWOOT_ACCOUNT_ID"}


def test_the_demo_opens_a_conversation_shows_a_mistake_and_prints_the_configuration() -> None:
    done = run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"outcome": "created"' in done.stdout
    assert "/app/accounts/1/conversations/42" in done.stdout
    assert "`status` must be one of open, resolved, pending" in done.stdout
    assert "did you mean `assignee_id`" in done.stdout
    assert '"mcpServers"' in done.stdout


def test_a_reader_who_leaves_early_is_no_error() -> None:
    demo = subprocess.Popen([*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603
    assert demo.stdout is not None
    assert demo.stderr is not None
    demo.stdout.readline()
    demo.stdout.close()
    errors = demo.stderr.read().decode()
    demo.stderr.close()
    assert (demo.wait(), errors) == (0, "")


def test_a_sandbox_serves_pages_and_keeps_its_data_and_does_its_jobs_when_told(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.db"
    for expected in (41, 42):
        with subprocess.Popen(  # noqa: S603
            [*COMMAND, "sandbox", "--port", "0", "--data", str(file), "--jobs-after", "inf"],
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                open_conversation(server.stdout.readline().split()[3], expected)
            finally:
                server.send_signal(signal.SIGINT)
        assert server.returncode == 130


def open_conversation(address: str, newest: int) -> None:
    """Look at the newest conversation, then open another: who is assigned comes after the answer, when told."""
    headers = {"api-access-token": "sandbox-admin"}
    where = f"{address}/api/v1/accounts/1/conversations"
    body = {"inbox_id": 1, "contact_id": 1}
    assert httpx.get(f"{address}/app/accounts/1/conversations/{newest}", timeout=PATIENCE_S).status_code == 200
    assert httpx.post(where, json=body, headers=headers, timeout=PATIENCE_S).json()["id"] == newest + 1
    assigned: list[bool] = []
    for _ in range(2):
        shown = httpx.get(f"{where}/{newest + 1}", headers=headers, timeout=PATIENCE_S).json()
        assigned.append("assignee" in shown["meta"])
        assert httpx.post(f"{address}/sandbox/settle", timeout=PATIENCE_S).status_code == 204
    assert assigned == [False, True]


# --- doctor ---------------------------------------------------------------------------------------------------------


async def doctor(base_url: str, token: str = "sandbox-admin", *args: str, **env: str) -> tuple[int, str]:
    given = {"CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": token, **env}
    done = await asyncio.to_thread(lambda: run("doctor", *args, command=COMMAND, **given))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


async def test_the_doctor_finds_nothing_wrong_where_nothing_is(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        code, plain = await doctor(base_url)
        json_code, text = await doctor(base_url, "sandbox-admin", "--json")
    assert (code, json_code) == (0, 0)
    told: dict[str, Any] = json.loads(text)
    assert told["ok"] is True
    assert [(each["check"], each["status"]) for each in told["findings"][:7]] == [
        ("request-id", "ok"),
        ("address", "ok"),
        ("version", "ok"),
        ("clock", "ok"),
        ("header", "ok"),
        ("token", "ok"),
        ("account", "ok"),
    ]
    assert {each["check"] for each in told["findings"][7:]} == {"inbox"}
    assert len(plain.splitlines()) == len(told["findings"])
    assert {record.method for record in sandbox.requests} == {"GET"}


@pytest.mark.parametrize(
    ("token", "env", "check", "status", "code"),
    [
        ("wrong", {}, "token", "failed", 1),
        ("sandbox-owner", {}, "accounts", "warning", 0),
        ("sandbox-owner", {"CHATWOOT_ACCOUNT_ID": "99"}, "accounts", "failed", 1),
        ("sandbox-owner", {"CHATWOOT_ACCOUNT_ID": "2"}, "inboxes", "failed", 1),
        ("sandbox-bot", {}, "accounts", "warning", 0),
        ("sandbox-bot", {"CHATWOOT_ACCOUNT_ID": "1"}, "token", "warning", 0),
        ("sandbox-other", {}, "inboxes", "warning", 0),
    ],
)
async def test_the_doctor_names_what_is_wrong(
    sandbox: Sandbox, token: str, env: dict[str, str], check: str, status: str, code: int
) -> None:
    async with serve(sandbox) as base_url:
        ended, text = await doctor(base_url, token, "--json", **env)
    last = json.loads(text)["findings"][-1]
    assert (last["check"], last["status"], ended) == (check, status, code)


@pytest.mark.parametrize(("version", "lacking"), [("4.11", 2), ("4.7", 4), ("4.0", 6), ("3.16", 6)])
async def test_the_doctor_names_the_version_and_what_it_lacks(version: str, lacking: int) -> None:
    sandbox = Sandbox(chatwoot=version)
    async with serve(sandbox) as base_url:
        code, text = await doctor(base_url, "sandbox-admin", "--json")
    sandbox.close()
    known, older = (each for each in json.loads(text)["findings"] if each["check"] == "version")
    assert code == 0
    assert known["text"] == f"{KNOWN[version]} (behaviour known from 3.16.0 to 4.15.1)"
    assert (older["status"], len(older["text"].split(";"))) == ("warning", lacking)
    assert "the 20 newest" in older["text"]


def test_the_sandbox_command_takes_each_version_and_no_other() -> None:
    server = subprocess.Popen(  # noqa: S603
        [*COMMAND, "sandbox", "--port", "0", "--chatwoot", "4.11"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    address = server.stdout.readline().split()[3]
    assert httpx.get(f"{address}/api").json()["version"] == "4.11.0"
    server.send_signal(signal.SIGINT)
    server.communicate()
    assert f"{{{','.join(KNOWN)}}}" in run("sandbox", "--help", COLUMNS="200").stdout
    refused = run("sandbox", "--chatwoot", "5.0")
    assert (refused.returncode, "invalid choice: '5.0'" in refused.stderr) == (2, True)


async def test_the_doctor_tells_a_wrong_address_from_a_chatwoot(sandbox: Sandbox) -> None:
    assert (await doctor("http://127.0.0.1:9"))[0] == 1
    async with serve(sandbox) as base_url:
        sandbox.faults.add(Fault("html", times=None))
        code, text = await doctor(base_url)
        assert (code, "failed" in text) == (1, True)
        sandbox.faults.clear()
        sandbox.faults.add(Fault("redirect", location="https://elsewhere.test/"))
        code, text = await doctor(base_url)
    assert code == 1
    assert "elsewhere.test" in text
