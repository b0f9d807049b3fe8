"""A small HTTP server on loopback that forwards what it is asked, and loses what it is told to lose.

``Forwarder`` carries requests and answers; the tests' own misbehaviour (``tests/faults/proxy.py``) stands on it too.
``Cutter`` is the prover's: it cuts one request of one call.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import httpx

_OF_THE_CONNECTION: Final = {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
"""Headers of an answer that do not hold once its body is read and unpacked."""


@dataclass
class Seen:
    """A request that reached the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fault: Any = None
    """What became of it, None for an ordinary answer."""

    def meets(self, method: str, path: str) -> bool:
        return self.method == method and re.search(path, self.path) is not None


class Forwarder:
    """Listens on a port of loopback and passes requests on. ``serve`` is what a subclass changes."""

    def __init__(self, upstream: httpx.AsyncClient) -> None:
        self.base_url = ""
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        port = int(self.base_url.rpartition(":")[2]) if self.base_url else 0
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def shut(self) -> None:
        """From now on connections are refused, and those that are open are cut."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections.values()):
            reset(writer)
        await asyncio.sleep(0)  # asyncio closes a socket one turn later

    async def aclose(self) -> None:
        await self.shut()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._upstream.aclose()

    async def serve(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Answer a request. Whether the connection may be used again."""
        await send(writer, await self.forward(seen))
        return True

    async def forward(self, seen: Seen) -> httpx.Response:
        dropped = {"host", "content-length", "connection"}
        headers = {name: value for name, value in seen.headers.items() if name not in dropped}
        return await self._upstream.request(seen.method, seen.path, headers=headers, content=seen.body)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("asyncio runs each connection in a task of its own")
        self._connections[task] = writer
        try:
            while (seen := await _read(reader)) is not None:
                if not await self.serve(seen, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # asyncio's streams complain of a handler that ends cancelled
        except httpx.TransportError:
            reset(writer)  # what was lost behind us is lost before us too
        finally:
            del self._connections[task]
            writer.close()


class Cut(Enum):
    """What becomes of a request. ``after``: what is behind has committed."""

    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"
    HALF = "half an answer"
    GATEWAY = "504 after"
    FAILED = "500 before"

    @property
    def after(self) -> bool:
        return self in {Cut.LOST_AFTER, Cut.HALF, Cut.GATEWAY}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which request of a call is meant: its path by a pattern, and, where that is not enough, what its body holds."""

    method: str
    path: str
    holds: str = ""

    def meets(self, seen: Seen) -> bool:
        method = self.method in ("", seen.method)
        return method and re.search(self.path, seen.path) is not None and self.holds.encode() in seen.body


@dataclass(slots=True)
class Planned:
    """One cut to come. ``met``: it was made; ``status``: what Chatwoot answered, where it was asked."""

    wanted: Wanted
    cut: Cut
    met: bool = False
    status: int | None = None


class Cutter(Forwarder):
    """``planned`` has a cut for the first request meant of a call, by the call's request id."""

    def __init__(self, upstream: httpx.AsyncClient) -> None:
        super().__init__(upstream)
        self.planned: dict[str, Planned] = {}

    async def serve(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        plan = self.planned.get(seen.headers.get("x-request-id", ""))
        if plan is None or plan.met or not plan.wanted.meets(seen):
            return await super().serve(seen, writer)
        plan.met = True
        if not plan.cut.after:
            return await _refuse(plan.cut, writer)
        answer = await self.forward(seen)
        plan.status = answer.status_code
        match plan.cut:
            case Cut.HALF:
                await send_half(writer, answer)
                return False
            case Cut.GATEWAY:
                await send(writer, httpx.Response(504, html="<html><body>Gateway Time-out</body></html>"))
                return True
            case _:
                reset(writer)
                return False


async def _refuse(cut: Cut, writer: asyncio.StreamWriter) -> bool:
    if cut is Cut.FAILED:
        await send(writer, httpx.Response(500, html="<html><body>Internal Server Error</body></html>"))
        return True
    reset(writer)
    return False


async def send(writer: asyncio.StreamWriter, answer: httpx.Response) -> None:
    """The whole answer, its body unpacked."""
    writer.write(b"".join(as_bytes(answer)))
    await writer.drain()


async def send_half(writer: asyncio.StreamWriter, answer: httpx.Response) -> None:
    """The head, and half of the body that it promises."""
    head, body = as_bytes(answer)
    writer.write(head + body[: len(body) // 2])
    await writer.drain()


def as_bytes(answer: httpx.Response) -> tuple[bytes, bytes]:
    """Head and body."""
    kept = ((name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_CONNECTION)
    return head_of(answer.status_code, len(answer.content), kept), answer.content


def head_of(status: int, size: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {size}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first_line, *lines = head.strip().split("\r\n")
    method, path, _ = first_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
