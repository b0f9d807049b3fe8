"""The wheel, built and installed alone in an empty environment outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UV: Final = shutil.which("uv")
OURS: Final = {"aiochatwoot", "chatwoot_mcp", "chatwoot_sandbox", "chatwoot_tools"}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        UV is None and os.environ.get("CI") != "true", reason="uv is needed to build and install the wheel"
    ),
]


def run(*command: str, cwd: Path) -> str:
    env = {name: os.environ[name] for name in os.environ if not name.startswith(("VIRTUAL_ENV", "PYTHON", "COV"))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_alone_runs_the_demo_and_leaves_no_generic_name_behind(tmp_path: Path) -> None:
    uv = str(UV)
    run(uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(ROOT), cwd=tmp_path)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    run(uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "alone"), cwd=tmp_path)
    python = tmp_path / "alone/bin/python"
    run(uv, "pip", "install", "--quiet", "--python", str(python), str(wheel), cwd=tmp_path)

    shown = run(str(tmp_path / "alone/bin/chatwoot-mcp"), "demo", cwd=tmp_path)
    assert "/app/accounts/1/conversations/42" in shown
    assert str(tmp_path / "alone/bin/chatwoot-mcp") in shown

    listed = run(uv, "pip", "show", "--files", "--python", str(python), "chatwoot-mcp", cwd=tmp_path)
    files = [line.strip() for line in listed.partition("Files:")[2].splitlines() if line.strip()]
    tops = {file.split("/")[0] for file in files if not file.startswith("..")}
    assert {top for top in tops if not top.endswith(".dist-info")} == OURS
    assert all(f"{package}/py.typed" in files for package in OURS)
