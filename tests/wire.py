"""A server of bytes on loopback, for what no well-behaved server sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handle = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """``answers`` go out one per request, the last again and again; ``requests`` is what arrived, head and body."""

    answers: list[bytes | Handle]
    requests: list[bytes] = field(default_factory=list[bytes])
    base_url: str = ""
    connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(
        default_factory=dict["asyncio.Task[None] | None", asyncio.StreamWriter]
    )

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections[asyncio.current_task()] = writer
        try:
            while request := await _request(reader):
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(request, writer)
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def wire(*answers: bytes | Handle) -> AsyncGenerator[Wire]:
    served = Wire(list(answers))
    server = await asyncio.start_server(served.serve_one, "127.0.0.1", 0)
    async with server:
        served.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield served
        finally:
            for writer in served.connections.values():
                writer.close()
            await asyncio.gather(*filter(None, served.connections))


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer; ``content_type="…"`` becomes the header Content-Type."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def cut(_: bytes, __: asyncio.StreamWriter) -> None:
    """The connection is closed without an answer."""


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return b""
        head += line
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head
