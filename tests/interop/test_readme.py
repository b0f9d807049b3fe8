"""The README's two commands without uv, with a Python that lets nothing be installed into it: Debian's, Homebrew's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SYSTEM: Final = Path("/usr/bin/python3")
USABLE: Final = (
    "import ensurepip, os, sys, sysconfig; sys.exit(not (sys.version_info >= (3, 11) and "
    "os.path.exists(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED'))))"
)

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not (ROOT / ".git").exists() and not os.environ.get("CI"), reason="this is no clone"),
]


def marked_python(folder: Path) -> Path:
    """The system's Python where it is marked and has what `python3 -m venv` needs; else a marked copy of this one."""
    if SYSTEM.exists() and not subprocess.run([SYSTEM, "-c", USABLE], capture_output=True, check=False).returncode:  # noqa: S603
        return SYSTEM
    library = Path(sysconfig.get_path("stdlib"))
    copied = folder / "lib" / library.name
    copied.mkdir(parents=True)
    for each in library.iterdir():
        (copied / each.name).symlink_to(each)
    (copied / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=It belongs to the system.\n")
    (folder / "bin").mkdir()
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    return Path(shutil.copy2(base, folder / "bin/python3"))


def test_the_readmes_commands_work_with_a_python_that_is_externally_managed_and_without_uv(tmp_path: Path) -> None:
    python = marked_python(tmp_path / "marked")
    left_out = ("UV_CACHE_DIR", "VIRTUAL_ENV", "PYTHON", "PYTEST", "COV", "PIP_BREAK")
    env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    env["PATH"] = os.pathsep.join([str(python.parent), "/usr/bin", "/bin"])
    assert shutil.which("uv", path=env["PATH"]) is None
    refused = subprocess.run(  # noqa: S603
        [python, "-m", "pip", "install", "uv"], capture_output=True, text=True, env=env, check=False
    )
    assert refused.returncode != 0
    assert "externally-managed-environment" in refused.stderr or "No module named pip" in refused.stderr

    # The commands are the README's to the letter; of the tests a few show that they run, CI runs all of them.
    done = subprocess.run(  # noqa: S603
        [ROOT / "scripts/fresh"],
        capture_output=True,
        text=True,
        env={**env, "PYTEST_ADDOPTS": "-k test_settings"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/app/accounts/1/conversations/42" in done.stdout
    assert " passed" in done.stdout
