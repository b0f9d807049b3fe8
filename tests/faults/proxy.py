"""The sandbox over real sockets, behind a layer that does to its answers what networks and proxies do.

``rule`` decides for each request which fault it meets, None for none; ``seeded`` makes one that draws from a seed, so
that a run can be repeated.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from typing import Any, Final, Literal, cast

import httpx

from chatwoot_sandbox import Sandbox
from web.services import free_port

Kind = Literal[
    "refuse", "reset", "stall", "stall_body", "drip", "answer", "html", "truncated", "invalid", "wrong_type",
    "redirect", "huge", "bomb", "mixed_up", "hold",
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What becomes of a request. ``after``: the sandbox has committed before.

    - ``refuse``: served, but then the port is shut for a moment;
    - ``reset``: the connection is reset; ``stall``: nothing comes any more; ``stall_body``: half of the body comes;
      ``drip``: the answer comes a byte at a time; ``truncated``: it ends before its length;
    - ``answer``: ``status`` with ``headers``; ``redirect``: 302 to ``location``;
    - ``html``, ``invalid``: 200 with a page, or with half of a JSON document; ``wrong_type``: the right answer as HTML;
    - ``huge``: 50 MB of JSON; ``bomb``: a small gzip that unpacks to 200 MB;
    - ``mixed_up``: the answer is about another record; ``hold``: nothing happens until ``Proxy.go_on`` is set.
    """

    kind: Kind
    after: bool = False
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    location: str = ""

    def __str__(self) -> str:
        what = [
            self.kind,
            *([str(self.status)] if self.kind == "answer" else []),
            *(value for _, value in self.headers),
        ]
        return "-".join([*what, "after" if self.after else "before"])


def retry_after(value: str | None) -> Fault:
    return Fault("answer", status=429, headers=(("Retry-After", value),) if value is not None else ())


EVERY_FAULT: Final = (
    Fault("refuse", after=True),
    Fault("reset"), Fault("reset", after=True),
    Fault("stall"), Fault("stall", after=True), Fault("stall_body", after=True), Fault("drip", after=True),
    retry_after("1"), retry_after(formatdate(usegmt=True)), retry_after(None), retry_after("99999999"),
    retry_after("-5"), retry_after("soon"),
    *(Fault("answer", status=status, after=after) for status in (500, 502, 503, 504) for after in (False, True)),
    Fault("html"), Fault("html", after=True), Fault("truncated", after=True), Fault("invalid", after=True),
    Fault("wrong_type", after=True), Fault("redirect"), Fault("huge", after=True), Fault("bomb", after=True),
    Fault("mixed_up", after=True),
)  # fmt: skip


@dataclass
class Seen:
    """A request that reached the wire, and what became of it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fault: Fault | None = None

    def meets(self, method: str, path: str) -> bool:
        return self.method == method and re.search(path, self.path) is not None


Rule = Callable[[Seen], Fault | None]


def always(fault: Fault, method: str, path: str) -> Rule:
    """The fault for every request of a method to the paths that a pattern finds."""
    return lambda seen: fault if seen.meets(method, path) else None


def first(fault: Fault, method: str, path: str) -> Rule:
    """The same for the first such request alone."""
    return in_turn([fault], method, path)


def in_turn(faults: list[Fault], method: str, path: str) -> Rule:
    """One fault after the other, then none."""
    left = list(faults)
    return lambda seen: left.pop(0) if left and seen.meets(method, path) else None


def seeded(seed: int, rate: float, faults: tuple[Fault, ...] = EVERY_FAULT) -> Rule:
    """At this rate one of the faults, drawn from the seed in the order of the requests."""
    drawn = random.Random(seed)  # noqa: S311 - to be repeated is what it is for
    return lambda _: drawn.choice(faults) if drawn.random() < rate else None


def no_fault(_: Seen) -> Fault | None:
    return None


@dataclass
class Proxy:
    """``seen`` is every request that reached the wire; ``met`` is set once a request met a fault, ``committed`` once
    one that was held is done."""

    sandbox: Sandbox
    rule: Rule = no_fault
    seen: list[Seen] = field(default_factory=list[Seen])
    met: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    base_url: str = ""
    _server: asyncio.Server | None = None
    _connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(
        default_factory=dict["asyncio.Task[None]", asyncio.StreamWriter]
    )

    def __post_init__(self) -> None:
        bomb()  # half a second's work, once
        self._app = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.sandbox.app), base_url="http://sandbox.test"
        )

    def writes(self) -> list[Seen]:
        """What reached the wire and changes something; some reads travel as POST."""
        return [
            seen for seen in self.seen if seen.method != "GET" and not seen.path.partition("?")[0].endswith("/filter")
        ]

    async def open(self) -> None:
        port = int(self.base_url.rpartition(":")[2]) if self.base_url else free_port()
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def shut(self) -> None:
        """From now on connections are refused, and those that are open are cut."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections.values()):
            _reset(writer)
        await asyncio.sleep(0)  # asyncio closes a socket one turn later

    async def aclose(self) -> None:
        await self.shut()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._app.aclose()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                seen.fault = self.rule(seen)
                if not await self._serve(seen, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # asyncio's streams complain of a handler that ends cancelled
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        fault = seen.fault
        if fault is None:
            await _send(writer, await self.forward(seen))
            return True
        self.met.set()
        if fault.kind == "hold":
            await self.go_on.wait()
            answer = await self.forward(seen)
            self.committed.set()
            await _send(writer, answer)
            return True
        answer = await self.forward(seen) if fault.after else None
        return await self._misbehave(fault, answer, writer)

    async def _misbehave(self, fault: Fault, answer: httpx.Response | None, writer: asyncio.StreamWriter) -> bool:
        match fault.kind:
            case "reset":
                _reset(writer)
            case "stall":
                await asyncio.Event().wait()
            case "refuse":
                await _send(writer, _whole(answer))
                await self.shut()
                await asyncio.sleep(0.03)
                await self.open()
            case "stall_body" | "truncated":
                head, body = _bytes(_whole(answer))
                writer.write(head + body[: len(body) // 2])
                await writer.drain()
                if fault.kind == "stall_body":
                    await asyncio.Event().wait()
            case "drip":
                for byte in b"".join(_bytes(_whole(answer))):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.005)
            case "huge":
                await _send_huge(writer)
            case _:
                await _send(writer, _instead(fault, answer))
                return True
        return False

    async def forward(self, seen: Seen) -> httpx.Response:
        headers = {name: value for name, value in seen.headers.items() if name not in {"host", "content-length"}}
        return await self._app.request(seen.method, seen.path, headers=headers, content=seen.body)


@asynccontextmanager
async def proxy(sandbox: Sandbox, rule: Rule = no_fault) -> AsyncGenerator[Proxy]:
    served = Proxy(sandbox, rule)
    await served.open()
    try:
        yield served
    finally:
        await served.aclose()


def _instead(fault: Fault, answer: httpx.Response | None) -> httpx.Response:
    page = "<html><body>from a proxy</body></html>"
    match fault.kind:
        case "html":
            return httpx.Response(200, html=page)
        case "redirect":
            return httpx.Response(302, headers={"location": fault.location or "http://127.0.0.1:9/"})
        case "invalid":
            return httpx.Response(200, content=b'{"id": 1, "account_id"', headers={"content-type": "application/json"})
        case "wrong_type":
            return httpx.Response(
                _whole(answer).status_code, content=_whole(answer).content, headers={"content-type": "text/html"}
            )
        case "bomb":
            return httpx.Response(200, stream=_Packed(), headers={"content-encoding": "gzip"})
        case "mixed_up":
            return httpx.Response(_whole(answer).status_code, json=_of_another(_whole(answer)))
        case _:
            return httpx.Response(fault.status, headers=dict(fault.headers), html=page)


class _Packed(httpx.AsyncByteStream):
    """Marks a body that is sent as it is: httpx would unpack it on its way."""


def _whole(answer: httpx.Response | None) -> httpx.Response:
    assert answer is not None, "this fault happens after the commit"
    return answer


def _of_another(answer: httpx.Response) -> Any:
    """The same shape, about records that do not exist."""

    def renumber(value: Any) -> Any:
        match value:
            case list():
                return [renumber(each) for each in cast("list[Any]", value)]
            case dict():
                return {key: other(key, each) for key, each in cast("dict[str, Any]", value).items()}
            case _:
                return value

    def other(key: str, value: Any) -> Any:
        if key in {"id", "conversation_id"} and isinstance(value, int):
            return value + 1000
        return f"x{value}" if key in {"name", "email"} and isinstance(value, str) else renumber(value)

    return renumber(answer.json()) if answer.content else None


@cache
def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b"0" * 1024 * 1024) for _ in range(200)) + packer.flush()


def _bytes(answer: httpx.Response) -> tuple[bytes, bytes]:
    body = bomb() if isinstance(answer.stream, _Packed) else answer.content
    kept = {
        name: value for name, value in answer.headers.items() if name not in {"content-length", "transfer-encoding"}
    }
    lines = [f"HTTP/1.1 {answer.status_code} X", f"Content-Length: {len(body)}"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in kept.items()), "", ""])
    return head.encode("latin-1"), body


async def _send(writer: asyncio.StreamWriter, answer: httpx.Response) -> None:
    writer.write(b"".join(_bytes(answer)))
    await writer.drain()


async def _send_huge(writer: asyncio.StreamWriter) -> None:
    size = 50 * 1024 * 1024
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 65536):
        writer.write(b" " * 65536)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
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


__all__ = [
    "EVERY_FAULT", "Fault", "Proxy", "Rule", "Seen", "always", "bomb", "first", "in_turn", "no_fault", "proxy",
    "retry_after", "seeded",
]  # fmt: skip
