"""Tools as MCP tools: the only place where a value of ours becomes one of the protocol's."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic_core import to_json

from chatwoot_mcp import __version__
from chatwoot_mcp.errors import as_failure, overdue
from chatwoot_mcp.instructions import INSTRUCTIONS
from chatwoot_mcp.offers import AnyTool, offered_tools, why_hidden
from chatwoot_mcp.progress import progress_told
from chatwoot_mcp.prompts import PROMPTS
from chatwoot_mcp.records import Observer, Refusals, log_call, observed
from chatwoot_mcp.spans import with_known_names
from chatwoot_tools import Context, Desk, ToolFailure
from chatwoot_tools.registry import TOOLS
from chatwoot_tools.schema import input_schema, output_schema

NAME: Final = "chatwoot"
ERROR_META: Final = "chatwoot/error"
"""Where a failed result carries its code for programs. Text alone goes to the model: hosts drop it when a failed
result has structured content."""

GRACE_S: Final = 0.5
"""Every wait of a call ends at its deadline; should one not, the call ends this much later."""

_log = logging.getLogger("chatwoot_mcp.adapter")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a caller sits: its desk, and the tools it is offered. ``caller`` is None where there is only one."""

    desk: Desk
    toolsets: frozenset[str]
    caller: str | None = None

    @property
    def offered(self) -> list[str]:
        """The names of the tools."""
        return [tool.name for tool in offered_tools(self.toolsets, read_only=self.desk.policy.read_only)]


def build_server(desk: Desk, toolsets: frozenset[str]) -> Server[Any]:
    """The MCP server of one desk."""
    seat = Seat(desk, toolsets)
    return build_server_for(lambda _: seat, toolsets)


def build_server_for(
    seat_of: Callable[[ServerRequestContext[Any]], Seat],
    toolsets: frozenset[str],
    observers: Sequence[Observer] = (log_call,),
    refusals: Refusals | None = None,
) -> Server[Any]:
    """The MCP server of whoever calls; ``toolsets`` are those of its operator, of which a seat may have fewer.

    Where only reading is allowed, writing tools are absent; called, they refuse.
    """
    known = {tool.name: tool for tool in TOOLS}
    tools = _Tools(known, seat_of, toolsets, observers, refusals or Refusals())
    server = Server(
        NAME,
        version=__version__,
        title="Chatwoot",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=_no_mirrored_arguments,
        on_list_tools=tools.on_list,
        on_call_tool=tools.on_call,
        on_list_prompts=_on_list_prompts,
        on_get_prompt=_on_get_prompt,
    )
    names: dict[str, Collection[str]] = {"tools/call": known, "prompts/get": PROMPTS}
    server.middleware[:] = [with_known_names(tracing, names) for tracing in server.middleware]
    return server


@dataclass(frozen=True, slots=True)
class _Tools:
    """The tools of a server, for whoever calls."""

    known: Mapping[str, AnyTool]
    seat_of: Callable[[ServerRequestContext[Any]], Seat]
    toolsets: frozenset[str]
    observers: Sequence[Observer]
    refusals: Refusals

    async def on_list(
        self, ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        seat = self.seat_of(ctx)
        return _listed(seat.toolsets, read_only=seat.desk.policy.read_only)

    async def on_call(
        self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        seat = self.seat_of(ctx)
        if params.name not in self.known:
            self.refusals.tell("unknown_tool", "no tool has that name", seat.caller)
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool. Known are: {', '.join(seat.offered)}.")
        tool = self.known[params.name]
        if tool.name not in seat.offered:
            failure = why_hidden(tool, seat.desk.policy, self.toolsets)
            self.refusals.tell(failure.code, tool.name, seat.caller)
            return failed(failure)
        return await self._run(tool, params.arguments or {}, ctx, seat)

    async def _run(
        self, tool: AnyTool, arguments: dict[str, Any], ctx: ServerRequestContext[Any], seat: Seat
    ) -> types.CallToolResult:
        context = seat.desk.open_call()
        with seat.desk.in_use(), progress_told(ctx, context.budget):
            work = _call(tool, arguments, context, seat, self.observers)
            return await (work if tool.read_only else seat.desk.run_write(work, context.budget))


async def _on_list_prompts(
    _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[prompt.described() for prompt in PROMPTS.values()])


async def _on_get_prompt(_: ServerRequestContext[Any], params: types.GetPromptRequestParams) -> types.GetPromptResult:
    if params.name not in PROMPTS:
        raise MCPError(types.INVALID_PARAMS, f"Unknown prompt. Known are: {', '.join(PROMPTS)}.")
    return PROMPTS[params.name].filled(params.arguments or {})


def _no_mirrored_arguments(_: str) -> None:
    """No argument of ours is mirrored in an HTTP header; else the SDK lists all tools at each call to find out."""
    return


@cache
def _listed(toolsets: frozenset[str], *, read_only: bool) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[describe(tool) for tool in offered_tools(toolsets, read_only=read_only)])


def describe(tool: AnyTool) -> types.Tool:
    """The tool as hosts list it."""
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=input_schema(tool.input),
        output_schema=output_schema(tool.output),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=True,
        ),
    )


def succeeded(structured: dict[str, Any]) -> types.CallToolResult:
    """A success, said twice: about half of the clients show their model the text alone, others the structure alone."""
    text = types.TextContent(type="text", text=to_json(structured).decode())
    return types.CallToolResult(content=[text], structured_content=structured)


def failed(failure: ToolFailure) -> types.CallToolResult:
    """A failure: text for the model, the same for programs beside it."""
    about = {
        "code": failure.code,
        "field": failure.field,
        "retryable": failure.retryable,
        "retry_after_s": failure.retry_after_s,
        "http_status": failure.http_status,
        "partial": failure.partial or None,
    }
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=failure.text)],
        is_error=True,
        _meta={ERROR_META: {key: value for key, value in about.items() if value is not None}},
    )


async def _call(
    tool: AnyTool, arguments: dict[str, Any], context: Context, seat: Seat, observers: Sequence[Observer]
) -> types.CallToolResult:
    """Run a tool; whatever it raises becomes a result, and the observers are told."""
    deadline = asyncio.timeout(context.policy.deadline_s + GRACE_S)
    with observed(tool, arguments, context, seat.caller, observers) as ending:
        try:
            async with deadline:
                result = await tool.call(arguments, context)
            structured = result.model_dump(mode="json", exclude_none=True)
            ending.succeeded(structured)
            return succeeded(structured)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model must read something
            is_ours = isinstance(error, TimeoutError) and deadline.expired()
            failure = overdue(context.budget) if is_ours else as_failure(error, context.budget)
            ending.failed(failure)
            return failed(failure)
        except asyncio.CancelledError:
            if context.budget.has_written:
                ending.outcome = "outcome_unknown"
                _log.warning(
                    "%s was stopped in the middle: it is not known what it did id=%s", tool.name, context.budget.id
                )
            raise


def json_of(tool: types.Tool) -> bytes:
    return json.dumps(
        tool.model_dump(mode="json", by_alias=True, exclude_none=True), separators=(",", ":"), ensure_ascii=False
    ).encode()
