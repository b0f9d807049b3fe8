"""Nobody is told to install this by a name that anybody may still take in the package index."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import pytest

from chatwoot_mcp.install import install
from chatwoot_mcp.settings import SettingsError
from chatwoot_mcp.web.shared import _connect  # pyright: ignore[reportPrivateUsage]
from chatwoot_mcp.web.tracing import configure_tracing

ROOT: Final = Path(__file__).parents[2]
NAME: Final = r"(?<![\w./~-])(?:aiochatwoot|chatwoot[-_]?(?:mcp|tools|sandbox))\b(?!/)"
BY_NAME: Final = re.compile(
    rf"\b(?:install|(?:uv|poetry|pdm)\s+add|inject|download|--with|--from)\b[^\n;&|`]*?{NAME}"
    rf"|\b(?:uvx|pipx\s+run|uv\s+tool\s+run)(?:\s+-\S+)*\s+['\"]?{NAME}",
    re.IGNORECASE,
)
"""A command that installs one of our packages from an index."""
THE_PLACE: Final = ROOT / "server/chatwoot_mcp/install.py"
NOT_READ: Final = re.compile(r"\.git|\.venv|node_modules|__pycache__|\..+_cache|\.hypothesis|\.coverage.*")
"""What others make beside our files."""


def files() -> list[Path]:
    every = (path for path in ROOT.rglob("*") if not any(map(NOT_READ.fullmatch, path.relative_to(ROOT).parts)))
    return [path for path in every if path.is_file() and path not in (Path(__file__), THE_PLACE)]


def test_no_file_tells_anybody_to_install_it_by_name() -> None:
    told = {
        path.relative_to(ROOT).as_posix(): BY_NAME.findall(text)
        for path in files()
        if (text := path.read_bytes().decode("utf-8", errors="ignore")) and BY_NAME.search(text)
    }
    assert told == {}
    assert len(files()) > 100


@pytest.mark.parametrize(
    "command",
    [
        "pip install chatwoot-mcp",
        "pip install 'chatwoot-mcp[redis]'",
        "python3 -m venv /opt/chatwoot-mcp and its pip install chatwoot-mcp",
        "/opt/chatwoot-mcp/bin/pip install --no-cache-dir chatwoot_mcp==0.1.0",
        "uv tool install chatwoot-mcp",
        "uv add chatwoot-mcp",
        "uvx chatwoot-mcp --sandbox",
        "uvx --from chatwoot-mcp chatwoot-mcp",
        "pipx run chatwoot-mcp",
        "pip install aiochatwoot",
    ],
)
def test_the_search_finds_such_a_command(command: str) -> None:
    assert BY_NAME.search(command)


@pytest.mark.parametrize(
    "command",
    [
        "/opt/chatwoot-mcp/bin/pip install .",
        "pip install '.[redis]'",
        "python3 -m pip install uv && uv run chatwoot-mcp demo",
        "pip install ./chatwoot-mcp/",
        "pipx run uv run chatwoot-mcp demo",
        "claude mcp add chatwoot-sandbox -- /opt/chatwoot-mcp/bin/chatwoot-mcp --sandbox",
    ],
)
def test_the_search_leaves_others_alone(command: str) -> None:
    assert not BY_NAME.search(command)


def test_errors_say_it_as_the_one_place_does(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingsError) as caught:
        _connect("redis://127.0.0.1")
    assert str(caught.value) == f"CHATWOOT_MCP_REDIS_URL: needs an extra: {install('redis')}"
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    configure_tracing()
    assert install("otel") in caplog.text
