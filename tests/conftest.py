"""Fixtures for all rooms."""

from __future__ import annotations

import signal
from collections.abc import Generator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from chatwoot_sandbox import Sandbox
from support import Bench

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


def pytest_configure() -> None:
    """What a shell starts in the background ignores SIGINT, and so would the servers that tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes says more of the machine than of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def sandbox() -> Generator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    """An administrator's desk on a fresh sandbox."""
    return Bench(sandbox)
