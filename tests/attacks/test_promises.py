"""What SECURITY.md promises is held by tests that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SECURITY: Final = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES: Final = re.findall(r"^\| (.+) \| (`test_.+) \|$", SECURITY, re.MULTILINE)


def test_each_promise_names_a_test_that_there_is() -> None:
    files = (path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", "\n".join(files), re.MULTILINE))
    assert len(PROMISES) >= 11
    for promise, held_by in PROMISES:
        named = set(re.findall(r"`(\w+)`", held_by))
        assert named, promise
        assert named <= tests, promise
