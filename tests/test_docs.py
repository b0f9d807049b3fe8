"""What the documents claim and show."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from mcp import Client, StdioServerParameters

from chatwoot_mcp.doctor import OLDEST_VERSION, TESTED_VERSION
from chatwoot_mcp.hosts import command_path, snippet
from chatwoot_mcp.settings import TOKEN_FILE, VARIABLES
from chatwoot_sandbox import Sandbox, serve
from chatwoot_sandbox.versions import KNOWN
from chatwoot_tools.core.create_conversation.model import CreateConversation, CreateConversationResult
from chatwoot_tools.core.escalate_to_human.model import StepStatus
from chatwoot_tools.failures.codes import Code
from chatwoot_tools.registry import TOOLS
from support import PATIENCE_S, in_own_task

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
DEPLOY: Final = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
EXAMPLE: Final[dict[str, Any]] = json.loads((ROOT / "claude_config.example.json").read_text(encoding="utf-8"))

# Each command of the README, and where it is run.
RUN_BY: Final = {
    "python3 -m venv .uv && .uv/bin/pip install uv && .uv/bin/uv run chatwoot-mcp demo": "scripts/fresh, to the letter",
    ".uv/bin/uv run pytest": "scripts/fresh, to the letter",
    "uv run chatwoot-mcp config claude-desktop": "tests/server/test_cli.py",
    "uv run chatwoot-mcp doctor": "tests/server/test_cli.py",
    "uv run chatwoot-mcp http --sandbox": "tests/web/test_process.py",
    "uv run chatwoot-mcp sandbox --port 3000": "tests/server/test_cli.py",
    "uv run chatwoot-mcp tools": "tests/server/test_cli.py",
    "npx @modelcontextprotocol/inspector uv run chatwoot-mcp --sandbox": "the same server as the next two",
    "npx @modelcontextprotocol/inspector --cli uv run chatwoot-mcp --sandbox --method tools/list --strict": (
        "tests/interop/test_inspector.py"
    ),
    "npx @modelcontextprotocol/inspector --cli uv run chatwoot-mcp --sandbox --method tools/call "
    "--tool-name create_conversation --tool-arg inbox_id=2 contact_id=1": "tests/interop/test_inspector.py",
}


def test_every_command_of_the_readme_is_one_that_a_test_runs() -> None:
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert [line for block in blocks for line in block.splitlines()] == list(RUN_BY)
    for where in RUN_BY.values():
        for file in re.findall(r"(?:tests|scripts)/[\w/.]+", where):
            assert (ROOT / file).exists()
    assert "\nscripts/fresh\n" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    check = (ROOT / "scripts/check").read_text(encoding="utf-8")
    for command in ("scripts/lowest", "uv run pytest -m long"):
        assert f"`{command}`" in README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        assert re.search(rf" run {command}$", check, re.MULTILINE)


@pytest.mark.parametrize("command", [line for line in RUN_BY if line.startswith("uv run chatwoot-mcp")])
def test_the_commands_exist(command: str) -> None:
    name = command.split()[3]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "chatwoot_mcp", name, "--help"], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0


def rows(heading: str, first_column: str) -> set[str]:
    """The names in backticks in the first column of the table that begins with ``first_column``."""
    table = README.partition(heading)[2].partition(f"| {first_column} |")[2].partition("\n\n")[0]
    return {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_the_readme_fits_and_names_every_argument_outcome_code_and_setting() -> None:
    assert len(README.splitlines()) < 200
    assert rows("## The tool `create_conversation`", "argument") == set(CreateConversation.model_fields)
    outcomes = CreateConversationResult.model_fields["outcome"].annotation
    assert rows("The result,", "`outcome`") == set(get_args(outcomes))
    assert rows("## Errors", "code") == set(get_args(Code))
    named = rows("## Put it into", "variable") | rows("## Settings", "variable")
    named |= set(re.findall(r"^\| `(CHATWOOT_MCP_\w+)` \|", DEPLOY, re.MULTILINE))
    assert named == {*VARIABLES.values(), TOKEN_FILE} - {TOKEN_FILE}
    assert TOKEN_FILE in README


def test_the_documents_name_every_version_and_every_status_of_a_step() -> None:
    assert f"Chatwoot {min(KNOWN, key=release)} to {max(KNOWN, key=release)}," in README
    versions = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert all(version in versions for version in KNOWN.values())
    assert {OLDEST_VERSION, TESTED_VERSION} == {KNOWN["3.16"], KNOWN["4.15"]}
    assert all(f"`{status}`" in README for status in get_args(StepStatus))


def release(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_readme_names_every_tool() -> None:
    named = rows("## The other tools", "tool") | {"create_conversation"}
    assert named == {tool.name for tool in TOOLS}


@pytest.mark.parametrize(
    "file",
    [
        *("README.md", "AGENTS.md", "CONTRIBUTING.md", "SECURITY.md"),
        *("docs/deploy.md", "docs/once.md", "docs/prove.md", "docs/versions.md"),
    ],
)
def test_no_link_between_the_documents_is_broken(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / file).parent.joinpath(target).exists(), target


def test_the_map_is_short_and_true() -> None:
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    sources = [path.as_posix() for path in ROOT.rglob("*.py") if not {".uv", ".venv"} & set(path.parts)]
    for named in re.findall(r"`([\w/]+\.py)`", text):
        assert any(source.endswith("/" + named) for source in sources), named


@pytest.mark.parametrize(
    "change",
    [
        "filter a list by one more field",
        "a new error code",
        "how long to wait after a 429",
        "attachments on notes",
        "one more host for `config`",
        "bytes read in the log line",
        "deleting inboxes in the sandbox",
        "another Chatwoot per HTTP caller",
        "the wording of an argument's fault",
        "the sandbox's pages",
    ],
)
def test_the_map_leads_to_where_a_change_is_made(change: str) -> None:
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    [where] = re.findall(rf"^\| {re.escape(change)} \| (.*) \|$", text, re.MULTILINE)
    named: list[str] = re.findall("`([^`]+)`", where)
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_example_configuration_is_what_the_command_prints() -> None:
    printed = snippet("claude-desktop", "/absolute/path/to/chatwoot-mcp").partition("\n")[2]
    assert json.loads(printed) == EXAMPLE


async def opened(entry: dict[str, Any]) -> dict[str, Any]:
    """Start what an entry names, as a host does, and open a conversation with it."""
    server = StdioServerParameters(command=command_path(), args=entry["args"], env=entry.get("env"))
    async with in_own_task(Client(server)) as client:
        result = await client.call_tool("create_conversation", {"inbox_id": 2, "contact_id": 1})
    return result.structured_content or {}


async def test_the_sandbox_entry_of_the_example_works_as_it_stands() -> None:
    assert (await opened(EXAMPLE["mcpServers"]["chatwoot-sandbox"]))["outcome"] == "created"


async def test_the_real_entry_of_the_example_works_with_its_three_values(sandbox: Sandbox) -> None:
    entry = EXAMPLE["mcpServers"]["chatwoot"]
    assert set(entry["env"]) == {"CHATWOOT_BASE_URL", "CHATWOOT_API_TOKEN", "CHATWOOT_ACCOUNT_ID"}
    async with serve(sandbox) as base_url:
        env = {**entry["env"], "CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": "sandbox-admin"}
        result = await opened({**entry, "env": env})
    assert result["conversation"]["url"].startswith(base_url)
