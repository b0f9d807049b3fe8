"""Real servers that the tests start on free ports of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from certificates import certificate
from support import PATIENCE_S

DEPLOY = Path(__file__).parents[2] / "deploy"


def free_port() -> int:
    """A free port for a server that cannot choose one itself.

    It lies below those that systems give to connections, one of which could take it before the server does.
    """
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def installed(program: str) -> str:
    """Its path; skips the test where it is not installed, but for CI, which installs it."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{program} is not installed")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


async def listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


class RedisServer:
    """Keeps nothing on disk. It can be stopped and started again on its port."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        args = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = await asyncio.create_subprocess_exec(self._program, *args, stdout=asyncio.subprocess.DEVNULL)
        await listening(self.port)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


@asynccontextmanager
async def redis_server() -> AsyncGenerator[RedisServer]:
    server = RedisServer(installed("redis-server"))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def nginx(ports: list[int], folder: Path) -> AsyncGenerator[str]:
    """nginx in front of some ports, one after the other; yields its address."""
    program, port = installed("nginx"), free_port()
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{ worker_connections 1024; }}
        http {{
          access_log off;
          client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
          uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
          proxy_read_timeout {PATIENCE_S:.0f}s;
          upstream replicas {{ {" ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports)} }}
          server {{
            listen 127.0.0.1:{port};
            location / {{ proxy_pass http://replicas; proxy_set_header Host $http_host; }}
          }}
        }}""",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(program, "-c", str(folder / "nginx.conf"), "-p", str(folder))
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def nginx_of_the_example(base_url: str, folder: Path, **headers: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """nginx with ``deploy/nginx.conf`` in front of a server, at a socket; yields a client of https://mcp.example.com."""
    program, socket_file, conf = installed("nginx"), folder / "socket", folder / "nginx.conf"
    chain, key = certificate("mcp.example.com", folder)
    example = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for there, here in [
        (r"127\.0\.0\.1:808\d", base_url.removeprefix("http://")),
        (r"listen (80|443)\b", f"listen unix:{socket_file}"),
        (r"/etc/\S+/fullchain\.pem", str(chain)),
        (r"/etc/\S+/key\.pem", str(key)),
    ]:
        example = re.sub(there, here, example)
    paths = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths}\n{example}}}",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(program, "-c", str(conf), "-p", str(folder))
    trust = ssl.create_default_context(cafile=chain)
    transport = httpx2.AsyncHTTPTransport(uds=str(socket_file), retries=20, verify=trust)
    try:
        async with httpx2.AsyncClient(
            transport=transport, base_url="https://mcp.example.com", headers=headers, timeout=PATIENCE_S
        ) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()
