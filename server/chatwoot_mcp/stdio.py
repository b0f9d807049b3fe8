"""MCP over stdin and stdout."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from types import TracebackType
from typing import Any, Self

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from pydantic import ValidationError


async def serve_stdio(server: Server[Any]) -> None:
    """Serve until stdin closes. stdout carries nothing but messages; a stray print goes to stderr."""
    # Bytes that are no UTF-8 become lone surrogates, which no JSON parser takes: an error, not a changed text.
    lines = anyio.wrap_file(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape"))
    async with stdio_server(stdin=lines) as (messages, answers):
        answering = _AnsweringReader(server, messages, answers)
        await server.run(answering, answers, server.create_initialization_options())


class _AnsweringReader:
    """The messages of a stream, less those that are answered here.

    What is no message gets a JSON-RPC error, which the SDK leaves out. A ``server/discover`` that comes first gets its
    answer in a session of its own: to the SDK the first request decides the era of the protocol for good, but clients
    that probe may not wait for the answer (Vercel's gives up after a second), and then come back with ``initialize``.
    """

    def __init__(
        self,
        server: Server[Any],
        messages: ReadStream[SessionMessage | Exception],
        answers: WriteStream[SessionMessage],
    ) -> None:
        self._server = server
        self._messages = messages
        self._answers = answers
        self._probing = True

    @property
    def last_context(self) -> Any:
        return getattr(self._messages, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        while True:
            message = await self._messages.receive()
            if isinstance(message, Exception):
                await self._answers.send(SessionMessage(_error_for(message)))
            elif self._probing and _is_probe(message):
                await _answer_alone(self._server, message, self._answers)
            else:
                self._probing = self._probing and not isinstance(message.message, types.JSONRPCRequest)
                return message

    async def aclose(self) -> None:
        await self._messages.aclose()

    def __aiter__(self) -> ReadStream[SessionMessage | Exception]:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _is_probe(message: SessionMessage) -> bool:
    return isinstance(message.message, types.JSONRPCRequest) and message.message.method == "server/discover"


async def _answer_alone(server: Server[Any], request: SessionMessage, answers: WriteStream[SessionMessage]) -> None:
    """Answer by a session that knows this one request."""
    to_server, requests = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    to_client, answered = anyio.create_memory_object_stream[SessionMessage]()
    async with anyio.create_task_group() as session:
        session.start_soon(server.run, requests, to_client, server.create_initialization_options())
        async with to_server, answered:
            await to_server.send(request)
            await answers.send(await answered.receive())


def _error_for(problem: Exception) -> types.JSONRPCError:
    """The id cannot be known; the text never shows the input."""
    readable = isinstance(problem, ValidationError) and all(
        found["type"] != "json_invalid" for found in problem.errors(include_url=False, include_input=False)
    )
    error = (
        types.ErrorData(code=types.INVALID_REQUEST, message="Not a JSON-RPC 2.0 message.")
        if readable
        else types.ErrorData(code=types.PARSE_ERROR, message="Not valid JSON in UTF-8.")
    )
    return types.JSONRPCError(jsonrpc="2.0", id=None, error=error)
