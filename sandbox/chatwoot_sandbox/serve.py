"""The sandbox over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

from chatwoot_sandbox.sandbox import Sandbox


@asynccontextmanager
async def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve in the current event loop, on a free port if none is given; yields the address.

    Touches no signal handler and writes nothing. Raises OSError when the port is taken.
    """
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    listener = socket.create_server((host, port))
    # asyncio sets this only where it made the socket; without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(sandbox.app, log_config=None, access_log=False, lifespan="off", log_level="critical")
    server = Server(config)
    sandbox.gate.over_sockets = True
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        sandbox.gate.over_sockets = False
        listener.close()
