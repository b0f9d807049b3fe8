"""OpenAI's Agents SDK: its agent loop, with a model of ours that makes the calls and keeps what it is given."""

import asyncio
import json
import sys

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerStdio
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText


class Caller(Model):
    def __init__(self, calls: list[tuple[str, dict]]) -> None:
        self._calls = iter(enumerate(calls))
        self.shown: list[str] = []

    async def get_response(self, system_instructions, input, *_, **__) -> ModelResponse:
        outputs = [item for item in input if isinstance(item, dict) and item.get("type") == "function_call_output"]
        self.shown = [texts(item["output"]) for item in outputs]
        number, (name, arguments) = next(self._calls, (0, (None, {})))
        if name is None:
            text = ResponseOutputText(type="output_text", text="done", annotations=[])
            said = ResponseOutputMessage(type="message", id="m", role="assistant", status="completed", content=[text])
        else:
            said = ResponseFunctionToolCall(
                type="function_call", id=f"f{number}", call_id=f"c{number}", name=name, arguments=json.dumps(arguments)
            )
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *_, **__):
        raise NotImplementedError


def texts(output) -> str:
    return output if isinstance(output, str) else "".join(part["text"] for part in output)


async def main(command: list[str], calls: list[tuple[str, dict]]) -> list[str]:
    server = MCPServerStdio({"command": command[0], "args": command[1:]}, client_session_timeout_seconds=120)
    model = Caller(calls)
    async with server:
        agent = Agent(name="a", model=model, mcp_servers=[server], mcp_config={"convert_schemas_to_strict": True})
        await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
    return model.shown


sys.stdout.write(json.dumps(asyncio.run(main(*json.loads(sys.argv[1])))))
