"""The sandbox over real sockets, behind a layer that does to its answers what networks and proxies do.

``rule`` decides for each request which fault it meets, None for none; ``seeded`` makes one that draws from a seed, so
that a run can be repeated.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from typing import Any, Final, Literal, cast

import httpx

from chatwoot_sandbox import Sandbox
from scripts.prove.proxy import Forwarder, Seen, as_bytes, head_of, reset, send, send_half
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
class Proxy(Forwarder):
    """``seen`` is every request that reached the wire; ``met`` is set once a request met a fault, ``committed`` once
    one that was held is done."""

    sandbox: Sandbox
    rule: Rule = no_fault
    seen: list[Seen] = field(default_factory=list[Seen])
    met: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    committed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        bomb()  # half a second's work, once
        app = httpx.ASGITransport(app=self.sandbox.app)
        super().__init__(httpx.AsyncClient(transport=app, base_url="http://sandbox.test"))

    def writes(self) -> list[Seen]:
        """What reached the wire and changes something; some reads travel as POST."""
        return [
            seen for seen in self.seen if seen.method != "GET" and not seen.path.partition("?")[0].endswith("/filter")
        ]

    async def open(self) -> None:
        """On a port that no connection of the machine is given while the proxy is shut."""
        self.base_url = self.base_url or f"http://127.0.0.1:{free_port()}"
        await super().open()

    async def serve(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        self.seen.append(seen)
        seen.fault = fault = self.rule(seen)
        if fault is None:
            return await super().serve(seen, writer)
        self.met.set()
        if fault.kind == "hold":
            await self.go_on.wait()
            answer = await self.forward(seen)
            self.committed.set()
            await send(writer, answer)
            return True
        answer = await self.forward(seen) if fault.after else None
        return await self._misbehave(fault, answer, writer)

    async def _misbehave(self, fault: Fault, answer: httpx.Response | None, writer: asyncio.StreamWriter) -> bool:
        match fault.kind:
            case "reset":
                reset(writer)
            case "stall":
                await asyncio.Event().wait()
            case "refuse":
                await send(writer, _whole(answer))
                await self.shut()
                await asyncio.sleep(0.03)
                await self.open()
            case "stall_body" | "truncated":
                await send_half(writer, _whole(answer))
                if fault.kind == "stall_body":
                    await asyncio.Event().wait()
            case "drip":
                for byte in b"".join(as_bytes(_whole(answer))):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.005)
            case "huge":
                await _send_huge(writer)
            case "bomb":
                writer.write(head_of(200, len(bomb()), [("content-encoding", "gzip")]) + bomb())
                await writer.drain()
                return True
            case _:
                await send(writer, _instead(fault, answer))
                return True
        return False


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
        case "mixed_up":
            return httpx.Response(_whole(answer).status_code, json=_of_another(_whole(answer)))
        case _:
            return httpx.Response(fault.status, headers=dict(fault.headers), html=page)


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


async def _send_huge(writer: asyncio.StreamWriter) -> None:
    size = 50 * 1024 * 1024
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 65536):
        writer.write(b" " * 65536)
        await writer.drain()


__all__ = [
    "EVERY_FAULT", "Fault", "Proxy", "Rule", "Seen", "always", "bomb", "first", "in_turn", "no_fault", "proxy",
    "retry_after", "seeded",
]  # fmt: skip
