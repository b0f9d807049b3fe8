"""LangChain's adapter. It starts a process per call."""

import asyncio
import json
import sys

from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(command: list[str], calls: list[tuple[str, dict]]) -> list[str]:
    client = MultiServerMCPClient({"chatwoot": {"transport": "stdio", "command": command[0], "args": command[1:]}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    shown = []
    for number, (name, arguments) in enumerate(calls):
        request = {"type": "tool_call", "id": str(number), "name": name, "args": arguments}
        try:
            message = await tools[name].ainvoke(request)
        except ToolException as error:
            shown.append(str(error))
        else:
            # The artifact beside it, which holds the structured content, is for programs.
            shown.append(message.text)
    return shown


sys.stdout.write(json.dumps(asyncio.run(main(*json.loads(sys.argv[1])))))
