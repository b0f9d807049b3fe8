"""The floor: the smallest honest MCP server on the same SDK, with one tool that does nothing."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

TOOL = types.Tool(name="nothing", input_schema={"type": "object"}, output_schema={"type": "object"})


async def on_list_tools(_: ServerRequestContext[Any], __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[TOOL])


async def on_call_tool(_: ServerRequestContext[Any], __: types.CallToolRequestParams) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="ok")], structured_content={})


def bare_server() -> Server[Any]:
    return Server("bare", on_list_tools=on_list_tools, on_call_tool=on_call_tool)


async def main() -> None:
    from mcp.server.stdio import stdio_server

    server = bare_server()
    async with stdio_server() as (messages, answers):
        await server.run(messages, answers, server.create_initialization_options())


if __name__ == "__main__":
    import anyio

    anyio.run(main)
