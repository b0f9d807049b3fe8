"""What every family of endpoints stands on."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from aiochatwoot.budget import Budget
from aiochatwoot.errors import UnexpectedResponse
from aiochatwoot.request import Answer, Json, Request
from aiochatwoot.transport import Transport

T = TypeVar("T")


class Resource:
    """A transport, together with the budget of the call that uses it."""

    def __init__(self, transport: Transport, budget: Budget) -> None:
        self._transport = transport
        self._budget = budget

    async def _get(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> Json:
        return (await self._send(Request("GET", path, query=query))).data

    async def _send(self, request: Request) -> Answer:
        return await self._transport.send(request, self._budget)


def parse(shape: type[T], data: Json, *wrappers: str) -> T:
    """Take an answer out of its wrappers and read it into its type.

    Raises UnexpectedResponse, which never shows the data.
    """
    for key in wrappers:
        data = cast("dict[str, Any]", data).get(key) if isinstance(data, dict) else None
    try:
        return cast("T", _reader(cast("Any", shape)).validate_python(data))
    except ValidationError:
        raise UnexpectedResponse("the answer is not of the expected shape", http_status=200) from None


def expect(is_about_it: bool) -> None:
    """Raises UnexpectedResponse for an answer about something else: a proxy that mixes answers up."""
    if not is_about_it:
        raise UnexpectedResponse("the answer is about something else", http_status=200)


@cache
def _reader(shape: Any) -> TypeAdapter[Any]:
    """Built at first use: building them all would cost a noticeable part of the start-up."""
    return TypeAdapter(shape)
