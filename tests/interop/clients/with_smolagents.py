"""Hugging Face's smolagents, by mcpadapt, as it comes: without structured output."""

import json
import os
import sys

from mcp import StdioServerParameters
from smolagents import MCPClient


def main(command: list[str], calls: list[tuple[str, dict]]) -> list[str]:
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    with MCPClient(server, structured_output=False) as listed:
        tools = {tool.name: tool for tool in listed}
        return [str(tools[name](**arguments)) for name, arguments in calls]


sys.stdout.write(json.dumps(main(*json.loads(sys.argv[1]))))
