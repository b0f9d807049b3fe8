"""A tool, as a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from chatwoot_tools.arguments.inputs import Input, parse_arguments
from chatwoot_tools.call.context import Context
from chatwoot_tools.size import fitted


class Output(BaseModel):
    """Base of every result. None means absent: it is left out of what is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Result(Output):
    """Base of what a tool returns as a whole."""


InputT = TypeVar("InputT", bound=Input)
ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool(Generic[InputT, ResultT]):
    """What a model sees of a tool, and the function behind it.

    ``run`` takes the validated input and a context; it returns the result or raises ToolFailure or ChatwootError.
    """

    name: str
    title: str
    description: str
    toolset: str
    input: type[InputT]
    output: type[ResultT]
    run: Callable[[InputT, Context], Awaitable[ResultT]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False

    async def call(self, arguments: dict[str, Any], context: Context) -> ResultT:
        """Validate the arguments, then run. A result that is too large is cut, and says so."""
        parsed = parse_arguments(self.input, arguments)
        result = fitted(await self.run(parsed, context))
        doubts = {hold.doubt for hold in context.holds if hold.doubt}
        if not doubts or getattr(parsed, "idempotency_key", None) is None:
            return result
        return result.model_copy(update={"warnings": [*(getattr(result, "warnings", None) or ()), *doubts]})
