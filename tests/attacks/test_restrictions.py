"""Restrictions that an operator meant and that silently were none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatwoot_mcp.settings import SettingsError, read_settings
from chatwoot_mcp.web.grants import GrantsError, GrantsFile
from chatwoot_sandbox import Sandbox
from support import bare_environment
from web.test_grants import keys
from web.test_process import refused
from web.test_web import code
from web.web import client_of, web_app

GOOD = {"CHATWOOT_BASE_URL": "https://desk.acme.test", "CHATWOOT_API_TOKEN": "t"}


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("CHATWOOT_READ_ONLY", "CHATWOOT_MCP_READ_ONLY"),
        ("chatwoot_mcp_read_only", "CHATWOOT_MCP_READ_ONLY"),
        ("Chatwoot_Mcp_Allowed_Inboxes", "CHATWOOT_MCP_ALLOWED_INBOXES"),
        ("CHATWOOT_ALLOWED_INBOXES", "CHATWOOT_MCP_ALLOWED_INBOXES"),
        ("CHATWOOTMCP_ALLOWED_ACCOUNTS", "CHATWOOT_MCP_ALLOWED_ACCOUNTS"),
        ("CHATWOOT_MCP_TOOLSET", "CHATWOOT_MCP_TOOLSETS"),
        ("CHATWOOT_CALLERS_FILE", "CHATWOOT_MCP_CALLERS_FILE"),
        ("CHATWOOT_TOKEN_FILE", "CHATWOOT_API_TOKEN_FILE"),
        ("CHATWOOT_URL", "CHATWOOT_BASE_URL"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, misspelt: "canary"})
    assert str(caught.value) == f"{misspelt}: unknown setting; did you mean {meant}?"


def test_every_misspelt_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, "CHATWOOT_READ_ONLY": "1", "chatwoot_mcp_toolsets": "core"})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "CHATWOOT_READ_ONLY",
        "chatwoot_mcp_toolsets",
    ]


@pytest.mark.parametrize("command", [(), ("--sandbox",), ("http",), ("http", "--sandbox"), ("doctor",), ("tools",)])
def test_nothing_starts_with_a_misspelt_variable(command: tuple[str, ...]) -> None:
    for more in ({}, GOOD):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "chatwoot_mcp", *command],
            capture_output=True,
            text=True,
            env={**bare_environment(), **more, "CHATWOOT_READ_ONLY": "1"},
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "CHATWOOT_READ_ONLY: unknown setting; did you mean CHATWOOT_MCP_READ_ONLY?" in done.stderr


def test_variables_of_others_are_none_of_ours() -> None:
    others = {"MY_CHATWOOT_URL": "x", "PATH": "/bin", "MCP_CHATWOOT": "x", "HTTP_PROXY": "http://proxy.test"}
    assert read_settings({**GOOD, **others}) == read_settings(GOOD)


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_an_empty_list_in_a_variable_allows_nothing(value: str) -> None:
    given = {f"CHATWOOT_MCP_{name}": value for name in ("ALLOWED_ACCOUNTS", "ALLOWED_INBOXES", "TOOLSETS")}
    settings = read_settings({**GOOD, **given})
    empty = frozenset[Any]()
    assert (settings.allowed_accounts, settings.allowed_inboxes, settings.toolsets) == (empty, empty, empty)


def test_a_read_only_that_is_set_and_empty_is_an_error() -> None:
    with pytest.raises(SettingsError, match="CHATWOOT_MCP_READ_ONLY: "):
        read_settings({**GOOD, "CHATWOOT_MCP_READ_ONLY": ""})


def test_a_token_file_that_is_missing_or_empty_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    for name in ("nosuch", "empty"):
        said = refused(CHATWOOT_BASE_URL="http://127.0.0.1:9", CHATWOOT_API_TOKEN_FILE=str(tmp_path / name))
        assert "CHATWOOT_API_TOKEN_FILE" in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--toolsets", "cor"], "toolsets: has an unknown name; known are the toolset core and the tools "),
        (["--toolsets", "core,create_conversations"], "toolsets: has an unknown name"),
        (["--token-file", "nosuch"], "the token_file of x cannot be read, or is empty"),
        (["--token-file", "empty"], "the token_file of x cannot be read, or is empty"),
        (["--token-file", ""], "the token_file of x cannot be read, or is empty"),
        (["--inboxes", "support"], "inboxes: "),
    ],
)
def test_a_key_with_a_limit_that_cannot_be_understood_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text(" \n", encoding="utf-8")
    done = keys(tmp_path / "callers.json", "add", "x", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (tmp_path / "callers.json").exists()


async def test_a_key_with_an_empty_list_may_use_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "callers.json"
    for limit, refusal, call in [
        ("inboxes", "not_found", ("get_conversation", {"conversation_id": 4})),
        ("inboxes", "not_allowed", ("create_conversation", {"inbox_id": 2, "contact_id": 1})),
        ("accounts", "not_allowed", ("get_conversation", {"account_id": 1, "conversation_id": 4})),
        ("toolsets", "not_allowed", ("get_conversation", {"conversation_id": 4})),
    ]:
        key = keys(path, "add", f"{limit}-{refusal}", f"--{limit}", "").stdout.strip()
        async with (
            web_app(sandbox, callers_file=str(path)) as app,
            client_of(app, authorization=f"Bearer {key}") as client,
        ):
            assert code(await client.call_tool(*call)) == refusal, limit


def test_a_callers_file_with_an_unknown_toolset_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "callers.json"
    key = keys(path, "add", "x", "--toolsets", "core").stdout.strip()
    grants = json.loads(path.read_text(encoding="utf-8"))
    grants["keys"][0]["toolsets"] = ["cor"]
    path.write_text(json.dumps(grants), encoding="utf-8")
    with pytest.raises(GrantsError, match=r"keys\.0\.toolsets"):
        GrantsFile(path).grant_of_key(key)


def test_a_token_file_is_found_wherever_the_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("t", encoding="utf-8")
    key = keys(tmp_path / "callers.json", "add", "x", "--token-file", "token").stdout.strip()
    found = GrantsFile(tmp_path / "callers.json").grant_of_key(key)
    assert found is not None
    assert found.token_file == tmp_path / "token"
