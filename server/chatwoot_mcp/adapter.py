"""Tools as MCP tools: the only place where a value of ours becomes one of the protocol's."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType
from typing import Any, Final, cast

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic_core import to_json

from aiochatwoot import Budget
from aiochatwoot.errors import ChatwootError
from chatwoot_mcp import __version__
from chatwoot_mcp.instructions import INSTRUCTIONS
from chatwoot_mcp.prompts import PROMPTS
from chatwoot_mcp.records import CallRecord, Observer, Refusals, log_call
from chatwoot_mcp.spans import with_known_names
from chatwoot_tools import Context, Desk, Policy, Tool, ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.registry import TOOLS
from chatwoot_tools.schema import input_schema, output_schema

NAME: Final = "chatwoot"
ERROR_META: Final = "chatwoot/error"
"""Where a failed result carries its code for programs. Text alone goes to the model: hosts drop it when a failed
result has structured content."""

GRACE_S: Final = 0.5
"""Every wait of a call ends at its deadline; should one not, the call ends this much later."""
PROGRESS_S: Final = 2.0
MOST_PLACES: Final = 40
"""Of an unforeseen error, in the log."""

_log = logging.getLogger("chatwoot_mcp.adapter")

AnyTool = Tool[Any, Any]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a caller sits: its desk, and the tools it is offered. ``caller`` is None where there is only one."""

    desk: Desk
    toolsets: frozenset[str]
    caller: str | None = None

    @property
    def offered(self) -> list[str]:
        """The names of the tools."""
        return [tool.name for tool in _offered(self.toolsets, self.desk.policy.read_only)]


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
    refusals = refusals or Refusals()
    known = {tool.name: tool for tool in TOOLS}

    async def on_list_tools(
        ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        seat = seat_of(ctx)
        return _listed(seat.toolsets, seat.desk.policy.read_only)

    async def on_call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        seat = seat_of(ctx)
        if params.name not in known:
            refusals.tell("unknown_tool", "no tool has that name", seat.caller)
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool. Known are: {', '.join(seat.offered)}.")
        tool = known[params.name]
        if tool.name not in seat.offered:
            failure = _hidden(tool, seat.desk.policy, toolsets)
            refusals.tell(failure.code, tool.name, seat.caller)
            return failed(failure)
        context = seat.desk.open_call()
        with seat.desk.in_use(), _progress(ctx, context.budget):
            work = _call(tool, params.arguments or {}, context, seat, observers)
            return await (work if tool.read_only else seat.desk.run_write(work, context.budget))

    async def on_list_prompts(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[prompt.described() for prompt in PROMPTS.values()])

    async def on_get_prompt(
        _: ServerRequestContext[Any], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        if params.name not in PROMPTS:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt. Known are: {', '.join(PROMPTS)}.")
        return PROMPTS[params.name].filled(params.arguments or {})

    server = Server(
        NAME,
        version=__version__,
        title="Chatwoot",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=_no_mirrored_arguments,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
        on_list_prompts=on_list_prompts,
        on_get_prompt=on_get_prompt,
    )
    names: dict[str, Collection[str]] = {"tools/call": known, "prompts/get": PROMPTS}
    server.middleware[:] = [with_known_names(tracing, names) for tracing in server.middleware]
    return server


def _no_mirrored_arguments(_: str) -> None:
    """No argument of ours is mirrored in an HTTP header; else the SDK lists all tools at each call to find out."""
    return


def offered_tools(toolsets: frozenset[str], *, read_only: bool) -> Iterable[AnyTool]:
    """The tools whose toolset or own name is among ``toolsets``; of those only what reads where that is all allowed."""
    return _offered(toolsets, read_only)


@cache
def _offered(toolsets: frozenset[str], read_only: bool) -> tuple[AnyTool, ...]:
    chosen = (tool for tool in TOOLS if {tool.toolset, tool.name} & toolsets)
    return tuple(tool for tool in chosen if tool.read_only or not read_only)


@cache
def _listed(toolsets: frozenset[str], read_only: bool) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[describe(tool) for tool in _offered(toolsets, read_only)])


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
    began = time.perf_counter()
    outcome, structured, partial = "cancelled", dict[str, Any](), False
    deadline = asyncio.timeout(context.policy.deadline_s + GRACE_S)
    try:
        async with deadline:
            result = await tool.call(arguments, context)
        structured = result.model_dump(mode="json", exclude_none=True)
        outcome = str(structured.get("outcome", "ok"))
        return succeeded(structured)
    except Exception as error:  # noqa: BLE001 - whatever it is, the model must read something
        is_ours = isinstance(error, TimeoutError) and deadline.expired()
        failure = _overdue(context.budget) if is_ours else as_failure(error, context.budget)
        outcome, partial = failure.code, failure.partial
        return failed(failure)
    except asyncio.CancelledError:
        if context.budget.has_written:
            outcome = "outcome_unknown"
            _log.warning(
                "%s was stopped in the middle: it is not known what it did id=%s", tool.name, context.budget.id
            )
        raise
    finally:
        ms = (time.perf_counter() - began) * 1000
        record = _record(tool, outcome, ms, context.budget, seat, {**arguments, **structured})
        record = replace(record, partial=partial)
        for observe in observers:
            observe(record)


def _record(tool: AnyTool, outcome: str, ms: float, budget: Budget, seat: Seat, known: dict[str, Any]) -> CallRecord:
    conversation = known.get("conversation")
    about = cast("dict[str, Any]", conversation) if isinstance(conversation, dict) else {}
    account_id, conversation_id = (
        about.get("account_id", known.get("account_id")),
        about.get("id", known.get("conversation_id")),
    )
    return CallRecord(
        tool=tool.name,
        outcome=outcome,
        ms=round(ms, 1),
        requests=budget.requests,
        answers=tuple(budget.answers),
        id=budget.id,
        caller=seat.caller,
        cancelled=budget.is_withdrawn,
        is_write=not tool.read_only,
        account_id=_id(account_id) or seat.desk.policy.default_account,
        conversation_id=_id(conversation_id),
    )


def _id(value: Any) -> int | None:
    """An id as it came, and nothing else that a caller may have put in its place."""
    return (
        int(value)
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal() and len(value) < 19)
        else None
    )


def _overdue(budget: Budget) -> ToolFailure:
    """Whatever held it up: a call ends soon after its deadline."""
    if budget.has_written:
        text = "It is not known what was done when the time was up. Look before calling again."
        return ToolFailure("outcome_unknown", text)
    text = "The time was up before anything was written. Try again later."
    return ToolFailure("deadline_exceeded", text, retryable=True)


@contextmanager
def _progress(ctx: ServerRequestContext[Any], budget: Budget) -> Generator[None]:
    """While inside, tell a host that asked for it every few seconds what the call waits for."""
    reporting: asyncio.Task[None] | None = None
    began = time.monotonic()

    async def report() -> None:
        with suppress(Exception):  # the host has left, or cannot be told
            while True:
                await ctx.session.report_progress(round(time.monotonic() - began, 3), message=budget.doing)
                await asyncio.sleep(PROGRESS_S)

    def begin() -> None:
        nonlocal reporting
        reporting = asyncio.create_task(report())

    # Most calls are over before: a timer costs them less than a task.
    timer = asyncio.get_running_loop().call_later(PROGRESS_S, begin)
    try:
        yield
    finally:
        timer.cancel()
        if reporting is not None:
            reporting.cancel()


def as_failure(error: Exception, budget: Budget | None = None) -> ToolFailure:
    """The failure to show for whatever a tool raised, having spent this budget."""
    if isinstance(error, ToolFailure):
        return error
    if isinstance(error, ChatwootError):
        return explain(error)
    # Classes and places only: the text of an unforeseen error may hold an argument.
    _log.error("unforeseen %s", " after ".join(_places(error)))
    unknown = ", and does not know what was done: look before calling again" if budget and budget.has_written else ""
    text = f"This server failed unexpectedly{unknown}. The operator finds the place in its log."
    return ToolFailure("internal_error", text)


def _places(error: BaseException | None) -> Generator[str]:
    """Of the error and of each that it came from: its class, and the way to it from the outermost call."""
    while error is not None:
        way = [f"{_name_of(frame)}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
        if len(way) > MOST_PLACES:  # a recursion
            way[MOST_PLACES // 2 : -MOST_PLACES // 2] = ["..."]
        yield f"{type(error).__name__} at {' > '.join(way) or 'unknown'}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name_of(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def _hidden(tool: AnyTool, policy: Policy, toolsets: frozenset[str]) -> ToolFailure:
    """Says whose limit it is: that of the caller's key, or the operator's, given by ``toolsets`` and by its policy."""
    if policy.read_only and not tool.read_only:
        if (policy.narrows or policy).read_only:
            return ToolFailure("read_only", "This server only reads: the operator has set CHATWOOT_MCP_READ_ONLY.")
        text = "This caller only reads: its key or subject is `read_only`, or its token lacks the scope chatwoot:write."
        return ToolFailure("read_only", text)
    if tool in _offered(toolsets, read_only=False):
        return ToolFailure("not_allowed", "This tool is not among the `toolsets` of the caller's key or subject.")
    return ToolFailure("not_allowed", "This tool is switched off: the operator can add it to CHATWOOT_MCP_TOOLSETS.")


def listed_size(tools: Iterable[AnyTool]) -> int:
    """Bytes of compact JSON that the tools take up in ``tools/list``."""
    return sum(len(json_of(describe(tool))) for tool in tools)


def json_of(tool: types.Tool) -> bytes:
    return json.dumps(
        tool.model_dump(mode="json", by_alias=True, exclude_none=True), separators=(",", ":"), ensure_ascii=False
    ).encode()
