"""The command that proves the tools on a Chatwoot that is there to be tried on, run against the sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chatwoot_sandbox import Sandbox, serve
from chatwoot_tools.registry import TOOLS
from faults.proxy import Proxy, Seen, proxy
from scripts.prove.__main__ import command_line, main
from scripts.prove.proxy import Cut
from support import bare_environment
from web.services import free_port

TOKEN: Final = "sandbox-admin"
CUTS: Final = {None, *(cut.value for cut in Cut)}
KEYED: Final = {tool.name for tool in TOOLS if "idempotency_key" in tool.input.model_fields}


async def run(*arguments: str) -> tuple[int, str, str]:
    """The command as a process, its token in the environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.prove", *arguments),
        env={**bare_environment(), "CHATWOOT_API_TOKEN": TOKEN},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def run_here(monkeypatch: pytest.MonkeyPatch, *arguments: str, token: str = TOKEN) -> int:
    """The same in this process, in a thread with an event loop of its own."""
    monkeypatch.setenv("CHATWOOT_API_TOKEN", token)
    monkeypatch.setenv("no_proxy", os.environ.get("no_proxy", ""))  # the command adds to it
    return await asyncio.to_thread(main, arguments)


@pytest.mark.long
async def test_every_tool_tells_the_truth_under_every_cut_with_and_without_a_key(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        status, out, err = await run("--base", base_url, "--at-once", "16", "--json")
    report: dict[str, Any] = json.loads(out)
    assert [case for case in report["cases"] if not case["true"]] == []
    assert (status, report["true"], report["left_out"]) == (0, True, [])
    tried = {(case["tool"], case["key"], case["cut"]) for case in report["cases"]}
    assert tried == {(tool.name, key, cut) for tool in TOOLS for key in ({False, tool.name in KEYED}) for cut in CUTS}
    assert report["run"] in err


async def test_the_table_shows_each_case_and_what_is_left_behind(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        before = ids(sandbox)
        status, out, err = await run("--base", base_url, "--tool", "create_conversation", "--tool", "get_workspace")
    title = err.partition('named "')[2].partition(" …")[0]
    assert status == 0
    assert TOKEN not in out + err
    lines = out.splitlines()
    assert lines[0] == f"Chatwoot 4.15.1 at {base_url}, account 1, inbox 2 (Help Desk API)"
    assert [line.split()[:1] for line in lines if line.endswith(" true")] == [["conversation"]] * 12 + [["read"]] * 6
    assert "All 18 cases are true: nothing doubled, nothing lost." in lines
    contacts, conversations = (sorted(now - then) for now, then in zip(ids(sandbox), before, strict=True))
    assert f'{len(contacts)} contacts named "{title} …" (ids {contacts[0]}-{contacts[-1]})' in out
    assert f"{len(conversations)} conversations ({conversations[0]}-{conversations[-1]})" in out
    assert f"for id in {' '.join(map(str, contacts))}; do" in out
    names = [row["name"] for row in sandbox.store.rows("SELECT name FROM contacts WHERE id >= ?", contacts[0])]
    assert all(name.startswith(title) for name in names)


def ids(sandbox: Sandbox) -> tuple[set[int], set[int]]:
    contacts = sandbox.store.rows("SELECT id FROM contacts")
    conversations = sandbox.store.rows("SELECT display_id FROM conversations WHERE account_id = 1")
    return {row["id"] for row in contacts}, {row["display_id"] for row in conversations}


async def doubled(there: Proxy, seen: Seen) -> httpx.Response:
    await Proxy.forward(there, seen)
    return await Proxy.forward(there, seen)


async def lost(there: Proxy, seen: Seen) -> httpx.Response:
    answer = await Proxy.forward(there, seen)
    there.sandbox.store.execute("DELETE FROM conversations WHERE display_id = ?", answer.json()["id"])
    return answer


@pytest.mark.parametrize(
    ("misdeed", "verdict"),
    [(doubled, "conversation doubled: there is"), (lost, "conversation said to be there, and is not")],
)
async def test_a_chatwoot_that_doubles_or_loses_a_write_is_found_out(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], misdeed: Any, verdict: str
) -> None:
    async with proxy(sandbox) as there:

        async def forward(seen: Seen) -> httpx.Response:
            if seen.meets("POST", r"/conversations$"):
                return await misdeed(there, seen)  # type: ignore[no-any-return]
            return await Proxy.forward(there, seen)

        there.forward = forward  # type: ignore[method-assign]
        status = await run_here(monkeypatch, "--base", there.base_url, "--tool", "create_conversation", "--json")
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (status, report["true"]) == (1, False)
    certain = [case for case in report["cases"] if case["told"] != ["outcome_unknown"]]
    assert len(certain) >= 11
    assert all(any(wrong.startswith(verdict) for wrong in case["wrong"]) for case in certain)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "{host}"], "--base must be an address with its scheme, such as https://chatwoot.example.com"),
        (["--base", "http://127.0.0.1:{free}"], "cannot be reached (ConnectError): is Chatwoot running there?"),
        (["--base", "{base}", "--token", "wrong"], "Chatwoot does not take the token: give the access token"),
        (["--base", "{base}", "--token", "sandbox-bot"], "Chatwoot does not take the token: give the access token"),
        (["--base", "{base}/elsewhere"], "is no Chatwoot: GET /api/v1/profile was answered with 404"),
        (["--base", "{base}", "--account", "3"], "--account 3 is none of the token's active accounts: 1"),
        (["--base", "{base}", "--token", "sandbox-owner"], "say which account by --account; the token's active"),
        (["--base", "{base}", "--inbox", "3"], "usable: 2 (Help Desk API), 14 (Bot Desk)"),
        (["--base", "{base}", "--inbox", "x"], "argument --inbox: invalid int value: 'x'; see --help"),
        (["--base", "https://chatwoot.test"], "if that is an instance to be tried on, add --i-know-this-is-a-test"),
        ([], "the following arguments are required: --base; see --help"),
    ],
)  # fmt: skip
async def test_what_cannot_be_tried_is_told_in_one_line(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    async with serve(sandbox) as base_url:
        filled = [each.format(base=base_url, host=base_url[7:], free=free_port()) for each in arguments]
        assert await run_here(monkeypatch, *filled) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err
    assert TOKEN not in told.err
    assert {record.method for record in sandbox.requests} <= {"GET"}


async def test_without_a_token_or_a_usable_inbox_the_way_out_is_said(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.store.execute("UPDATE inboxes SET lock_to_single_conversation = 1")
    async with serve(sandbox) as base_url:
        assert await run_here(monkeypatch, "--base", base_url) == 2
        assert "add one of the channel API (Settings, Inboxes)" in capsys.readouterr().err
        assert await run_here(monkeypatch, "--base", base_url, token="") == 2
        assert "give the access token of your Chatwoot profile page" in capsys.readouterr().err


def test_the_document_names_every_option_and_every_cut() -> None:
    text = (Path(__file__).parents[2] / "docs" / "prove.md").read_text(encoding="utf-8")
    known = {
        option for action in command_line()._actions for option in action.option_strings if option.startswith("--")
    }
    assert set(re.findall(r"--[a-z][a-z-]+", text)) == known - {"--help"}
    assert all(f"`{cut.value}`" in text for cut in Cut)
