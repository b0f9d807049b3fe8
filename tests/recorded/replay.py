"""A recorded request, made by the client, answered as it was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from aiochatwoot import Chatwoot, Transport
from aiochatwoot.errors import ChatwootError
from recorded.recordings import Exchange, recording
from recorded.ways import WAYS, Asked, Ids, NotMakeable, Way

BASE_URL: Final = "http://chatwoot.test"


@dataclass(frozen=True)
class Played:
    """What came of it: what the client's method gave, or the error that it raised."""

    exchange: Exchange
    way: Way
    result: Any
    failure: ChatwootError | None

    def __repr__(self) -> str:
        return f"{self.way.name} of {self.exchange!r}: {self.failure!r}"


class _Replay(httpx.AsyncBaseTransport):
    """Answers the one recorded request, and takes no other."""

    def __init__(self, exchange: Exchange, *, loose: bool) -> None:
        self._exchange = exchange
        self._loose = loose

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        exchange = self._exchange
        assert (request.method, request.url.path) == (exchange.method, exchange.path)
        if not self._loose and not _asks_the_same(request, content, exchange):
            raise NotMakeable
        stream = httpx.ByteStream(exchange.content)
        return httpx.Response(exchange.status, headers=dict(exchange.headers), stream=stream)


def _asks_the_same(request: httpx.Request, content: bytes, exchange: Exchange) -> bool:
    if _pages(request.url.params.multi_items()) != _pages(exchange.query):
        return False
    if exchange.sent_is_cut or request.headers.get("content-type", "").startswith("multipart/"):
        return True
    return _plain(json.loads(content) if content else None) == _plain(exchange.sent)


def _pages(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first page may be asked for or not."""
    return sorted(pair for pair in query if pair != ("page", "1"))


def _plain(body: Any) -> str:
    """As text, in which true is not 1. The last condition of a filter joins nothing, written or not."""
    match body:
        case {"payload": [*_, dict()]}:
            *conditions, last = body["payload"]
            body = {**body, "payload": [*conditions, {"query_operator": None, **last}]}
        case _:
            pass
    return json.dumps(body, sort_keys=True)


async def _no_wait(_: float) -> None:
    """Retries come at once."""


async def play(exchange: Exchange) -> list[Played]:
    """The exchange by each way of the client that sends just this request; nothing where it sends no such."""
    asked = Asked(dict(exchange.query), exchange.sent, exchange.answer)
    ways = [(way, ids) for way in WAYS if (ids := way.ids(exchange)) is not None]
    played = [await _by(way, ids, asked, exchange) for way, ids in ways]
    return [each for each in played if each is not None]


async def _by(way: Way, ids: Ids, asked: Asked, exchange: Exchange) -> Played | None:
    transport = Transport(BASE_URL, "token", http=_Replay(exchange, loose=way.loose), sleep=_no_wait)
    async with Chatwoot(transport) as client:
        try:
            return Played(exchange, way, await way.call(client, ids, asked), None)
        except ChatwootError as failure:
            return Played(exchange, way, None, failure)
        except NotMakeable:
            return None


_played: dict[str, tuple[Played, ...]] = {}


async def played(version: str) -> tuple[Played, ...]:
    """All of a recording that the client can ask; played once."""
    if version not in _played:
        exchanges = recording(version).exchanges
        _played[version] = tuple([each for exchange in exchanges for each in await play(exchange)])
    return _played[version]
