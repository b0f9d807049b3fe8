"""The file of those who may call, and the command that writes it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chatwoot_mcp.web.grants import Grant, GrantsError, GrantsFile
from support import PATIENCE_S, bare_environment


def keys(path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**bare_environment(), "CHATWOOT_MCP_CALLERS_FILE": str(path)}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "chatwoot_mcp", "keys", *args],
        capture_output=True,
        text=True,
        env=env,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_key_is_shown_once_and_only_its_hash_is_kept(callers_file: GrantsFile, tmp_path: Path) -> None:
    key = callers_file.add(Grant(name="helpdesk", accounts=frozenset({1}), read_only=True))
    text = (tmp_path / "callers.json").read_text(encoding="utf-8")
    assert key.split("_", 2)[2] not in text
    found = callers_file.grant_of_key(key)
    assert found is not None
    assert (found.name, found.accounts, found.read_only) == ("helpdesk", frozenset({1}), True)
    assert callers_file.grant_of_key(key + "x") is None
    assert stat.S_IMODE(os.stat(tmp_path / "callers.json").st_mode) == 0o600  # noqa: PTH116


def test_the_folder_is_made_and_where_it_cannot_be_it_is_said(tmp_path: Path) -> None:
    assert GrantsFile(tmp_path / "a" / "b" / "callers.json").add(Grant(name="helpdesk"))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(GrantsError, match="cannot be written"):
        GrantsFile(tmp_path / "file" / "callers.json").add(Grant(name="helpdesk"))


def test_a_revoked_key_stops_working_and_others_go_on(callers_file: GrantsFile) -> None:
    one, other = (callers_file.add(Grant(name=name)) for name in ("one", "other"))
    callers_file.revoke("one")
    assert callers_file.grant_of_key(one) is None
    assert callers_file.grant_of_key(other) is not None
    with pytest.raises(GrantsError, match="no key one"):
        callers_file.revoke("one")


def test_the_file_is_read_anew_when_another_process_changes_it(callers_file: GrantsFile, tmp_path: Path) -> None:
    key = callers_file.add(Grant(name="helpdesk"))
    elsewhere = GrantsFile(tmp_path / "callers.json")
    assert elsewhere.grant_of_key(key) is not None
    callers_file.revoke("helpdesk")
    assert elsewhere.grant_of_key(key) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": [{"name": "x"}]}', '{"key": []}', '{"subjects": {"a": 1}}'])
def test_a_file_that_is_not_as_it_should_be_lets_nobody_in(tmp_path: Path, text: str) -> None:
    path = tmp_path / "callers.json"
    file = GrantsFile(path)
    key = file.add(Grant(name="helpdesk"))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GrantsError, match="is not as it should be"):
        file.grant_of_key(key)
    path.unlink()
    with pytest.raises(GrantsError, match="cannot be read"):
        file.grant_of_key(key)


def test_the_command_adds_lists_and_revokes(tmp_path: Path) -> None:
    path, token = tmp_path / "callers.json", tmp_path / "token"
    token.write_text("t", encoding="utf-8")
    made = keys(path, "add", "helpdesk", "--accounts", "1,2", "--read-only", "--token-file", str(token))
    assert made.returncode == 0
    key = made.stdout.strip()
    assert key.startswith("cwmcp_")
    assert GrantsFile(path).grant_of_key(key) is not None
    listed = keys(path, "list")
    [line] = listed.stdout.splitlines()
    assert line.split()[:2] == [key.split("_")[1], "helpdesk"]
    assert "accounts=[1, 2]" in line
    hashed = json.loads(path.read_text(encoding="utf-8"))["keys"][0]["hash"]
    assert hashed not in listed.stdout
    assert key.split("_", 2)[2] not in listed.stdout
    assert keys(path, "revoke", "helpdesk").returncode == 0
    assert keys(path, "list").stdout == ""


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["add", "helpdesk"], "there is a key named helpdesk already"),
        (["add", "a b"], "name: string should match pattern"),
        (["add", "x", "--accounts", "0"], "accounts: input should be greater than or equal to 1"),
        (["revoke", "nobody"], "there is no key nobody"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, args: list[str], says: str) -> None:
    path = tmp_path / "callers.json"
    GrantsFile(path).add(Grant(name="helpdesk"))
    done = keys(path, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_file_it_says_which_setting_names_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatwoot_mcp", "keys", "list"],
        capture_output=True,
        text=True,
        env=bare_environment(),
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "set CHATWOOT_MCP_CALLERS_FILE, or give --file\n")
