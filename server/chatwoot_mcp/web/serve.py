"""The process that serves HTTP, or several of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aiochatwoot.loopback import is_loopback
from chatwoot_mcp.logs import configure_logging
from chatwoot_mcp.settings import HOW_CALLERS, Settings, SettingsError, read_settings
from chatwoot_mcp.web.tracing import configure_tracing

if TYPE_CHECKING:
    from starlette.applications import Starlette

KEEP_ALIVE_S: Final = 30


def check_exposure(settings: Settings, host: str) -> None:
    """Raises SettingsError: what others can reach must know who calls, and under which name."""
    if is_loopback(host):
        return
    if not settings.authenticates:
        raise SettingsError(f"--host {host} lets others call, so they have to say who they are: {HOW_CALLERS}")
    if not settings.allowed_hosts:
        raise SettingsError(
            f"--host {host}: set CHATWOOT_MCP_ALLOWED_HOSTS to the names under which it is called, or * where a proxy "
            "in front checks them"
        )


def check_callers(settings: Settings) -> None:
    """Raises SettingsError: with a file of callers that cannot be used nobody could call."""
    from chatwoot_mcp.web.grants import GrantsError, GrantsFile

    try:
        if settings.callers_file:
            GrantsFile(settings.callers_file).read()
    except GrantsError as error:
        raise SettingsError(f"CHATWOOT_MCP_CALLERS_FILE: {error} (chatwoot-mcp keys add NAME makes it)") from None


def uvicorn_options(settings: Settings, host: str, port: int) -> dict[str, Any]:
    """How uvicorn serves: nothing of its own in logs and headers, no wait without an end."""
    from chatwoot_mcp.web.guard import GuardedProtocol
    from chatwoot_mcp.web.limits import HEAD_BYTES

    return {
        "host": host,
        "port": port,
        "http": GuardedProtocol,
        "h11_max_incomplete_event_size": HEAD_BYTES,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": int(settings.deadline_s) + 5,
    }


def run_http(settings: Settings, host: str, port: int, workers: int, say: Callable[[str], None]) -> None:
    """Serve until told to stop; then finish what is being answered, and what has begun to write."""
    import uvicorn

    check_exposure(settings, host)
    check_callers(settings)
    _raise_file_limit()
    options = uvicorn_options(settings, host, port)
    if workers == 1:
        from chatwoot_mcp.web.app import build_app
        from chatwoot_mcp.web.guard import DrainingServer

        configure_tracing()
        app = build_app(settings)
        say(f"MCP at http://{host}:{port}/mcp, for {settings.base_url}")
        DrainingServer(uvicorn.Config(app, **options)).run()
        return
    say(f"MCP at http://{host}:{port}/mcp, for {settings.base_url}, by {workers} workers")
    with tempfile.TemporaryDirectory(prefix="chatwoot-mcp-metrics-") as folder:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        uvicorn.run("chatwoot_mcp.web.serve:app_of_environment", factory=True, workers=workers, **options)


def run_http_on_sandbox(
    settings_for: Callable[[str], Settings], host: str, port: int, data: str | None, say: Callable[[str], None]
) -> None:
    """Serve the embedded Chatwoot, its pages over HTTP on loopback beside it."""
    import anyio
    import uvicorn

    from chatwoot_mcp.web.app import build_app
    from chatwoot_mcp.web.guard import DrainingServer
    from chatwoot_sandbox import Sandbox, serve

    async def run() -> None:
        sandbox = Sandbox(data)
        async with serve(sandbox) as base_url:
            settings = settings_for(base_url)
            check_exposure(settings, host)
            check_callers(settings)
            say(f"MCP at http://{host}:{port}/mcp, for the embedded Chatwoot at {base_url}")
            config = uvicorn.Config(build_app(settings), **uvicorn_options(settings, host, port))
            await DrainingServer(config).serve()
        sandbox.close()

    _raise_file_limit()
    configure_tracing()
    anyio.run(run)


def app_of_environment() -> Starlette:
    """The app of one worker. The settings were checked by the process that started it."""
    from chatwoot_mcp.web.app import build_app

    settings = read_settings(os.environ, needs_token=False)
    configure_logging(settings, over_http=True)
    configure_tracing()
    _end_with_supervisor()
    return build_app(settings)


def _end_with_supervisor() -> None:
    """A worker whose supervisor was killed would live on, and hold the port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def wait() -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _raise_file_limit() -> None:
    """Each connection is a file; the usual 1,024 would be the first limit met."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 65_536), hard), hard))
