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
        answering = _AnsweringReader(messages, answers)
        await server.run(answering, answers, server.create_initialization_options())


class _AnsweringReader:
    """The messages of a stream; what is no message is answered with a JSON-RPC error, which the SDK leaves out."""

    def __init__(self, messages: ReadStream[SessionMessage | Exception], answers: WriteStream[SessionMessage]) -> None:
        self._messages = messages
        self._answers = answers

    @property
    def last_context(self) -> Any:
        return getattr(self._messages, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        while isinstance(message := await self._messages.receive(), Exception):
            await self._answers.send(SessionMessage(_error_for(message)))
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
