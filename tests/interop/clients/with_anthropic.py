"""Anthropic's helper for tools of MCP: what its tool runner would put into a tool_result."""

import asyncio
import json
import sys

from anthropic.lib.tools import ToolError
from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def texts(content) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


async def main(command: list[str], calls: list[tuple[str, dict]]) -> list[str]:
    server = StdioServerParameters(command=command[0], args=command[1:])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = {tool.name: async_mcp_tool(tool, session) for tool in (await session.list_tools()).tools}
        shown = []
        for name, arguments in calls:
            try:
                shown.append(texts(await tools[name].call(arguments)))
            except ToolError as error:
                shown.append(texts(error.content))
        return shown


sys.stdout.write(json.dumps(asyncio.run(main(*json.loads(sys.argv[1])))))
