"""The bodies of requests: each within its cap and its time, all together within one budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Receive

from chatwoot_mcp.web.callers import Refused

BODY_S: Final = 20.0
"""Time for a whole body to come in."""
SMALL: Final = 64 * 1024
"""So much of each body counts towards no budget: ordinary calls are never refused for what others send."""
TOGETHER: Final = 32 * 1024 * 1024
"""Bytes beyond that, of all bodies that are coming in or being answered."""

MOST_BRACKETS: Final = 50_000
"""Opening brackets and braces in a body, those in texts included: each may be a list or object, and parsing a million
of those takes seconds. Arguments hold at most 10,000 parts."""


class Bodies:
    """Reads bodies up to ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._room = max(TOGETHER, 2 * max_bytes)

    @asynccontextmanager
    async def read(self, headers: Headers, receive: Receive) -> AsyncGenerator[bytes]:
        """A whole body, which counts while inside. Raises Refused."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._too_large
        body = bytearray()
        try:
            await self._fill(body, receive)
            if body.count(b"[") + body.count(b"{") > MOST_BRACKETS:
                raise Refused(413, f"the body holds more than {MOST_BRACKETS} opening brackets")
            yield bytes(body)
        finally:
            self._room += _counted(len(body))

    async def _fill(self, body: bytearray, receive: Receive) -> None:
        try:
            async with asyncio.timeout(BODY_S):
                await self._fill_all(body, receive)
        except TimeoutError:
            raise Refused(408, f"the body did not come within {BODY_S:.0f} seconds") from None

    async def _fill_all(self, body: bytearray, receive: Receive) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the body did not come whole")
            part = message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) + len(part) > self._max_bytes:
                raise self._too_large
            self._take(len(body), len(part))
            body += part

    def _take(self, had: int, more: int) -> None:
        needed = _counted(had + more) - _counted(had)
        if needed > self._room:
            raise Refused(503, "too many large bodies at a time; try again")
        self._room -= needed

    @property
    def _too_large(self) -> Refused:
        return Refused(413, f"the body is larger than {self._max_bytes} bytes")


def _counted(size: int) -> int:
    return max(0, size - SMALL)
