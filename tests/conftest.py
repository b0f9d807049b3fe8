"""Fixtures for all rooms."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import mcp_types as types
import pytest
from mcp import Client

from chatwoot_sandbox import Sandbox
from support import Bench, assert_said_twice


@pytest.fixture(autouse=True)
def every_result_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test calls through a client, in memory or over a wire: its result is checked for what all share."""
    call_tool = Client.call_tool

    async def checked(self: Client, *args: Any, **kwargs: Any) -> types.CallToolResult:
        result = await call_tool(self, *args, **kwargs)
        assert_said_twice(result)
        return result

    monkeypatch.setattr(Client, "call_tool", checked)


MOST_WORKERS: Final = 8


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The suite runs in as many processes as there are cores; files and tests that are named run in this one.

    It does not stand in ``addopts``, because ``-p no:xdist`` would then refuse the option.
    """
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not hasattr(config, "workerinput")
    if is_whole and config.pluginmanager.hasplugin("xdist") and config.option.numprocesses is None:
        config.option.numprocesses, config.option.maxprocesses = "auto", MOST_WORKERS
        config.option.dist = "worksteal"


@pytest.fixture
def jobs_after_s() -> float:
    """How long after its answer Chatwoot does what it leaves to jobs; infinity: at ``sandbox.settle()``."""
    return 0.0


@pytest.fixture
def sandbox(jobs_after_s: float) -> Generator[Sandbox]:
    made = Sandbox(jobs_after_s=jobs_after_s)
    yield made
    made.close()


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    """An administrator's desk on a fresh sandbox."""
    return Bench(sandbox)
