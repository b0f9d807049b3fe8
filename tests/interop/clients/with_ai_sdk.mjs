// Vercel's AI SDK over stdio, with a model of ours that makes the calls and keeps what it is given.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [command, calls] = JSON.parse(process.argv[2]);
const require = createRequire(process.argv[3]);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { generateText, stepCountIs } = await load("ai");
const { MockLanguageModelV4 } = await load("ai/test");
const { createMCPClient } = await load("@ai-sdk/mcp");
const { Experimental_StdioMCPTransport: Stdio } = await load("@ai-sdk/mcp/mcp-stdio");

const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
const waiting = [...calls.entries()];
let shown = [];
const model = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const results = prompt.filter((message) => message.role === "tool").flatMap((message) => message.content);
    shown = results.map((part) => texts(part.output));
    const [number, [toolName, input]] = waiting.shift() ?? [0, []];
    return toolName
      ? {
          content: [{ type: "tool-call", toolCallId: `c${number}`, toolName, input: JSON.stringify(input) }],
          finishReason: { unified: "tool-calls", raw: undefined }, usage, warnings: [],
        }
      : { content: [{ type: "text", text: "done" }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] };
  },
});

function texts(output) {
  return output.type === "content" ? output.value.map((part) => part.text).join("") : JSON.stringify(output.value);
}

const client = await createMCPClient({ transport: new Stdio({ command: command[0], args: command.slice(1) }) });
try {
  await generateText({ model, tools: await client.tools(), prompt: "go", stopWhen: stepCountIs(calls.length + 1) });
} finally {
  await client.close();
}
process.stdout.write(JSON.stringify(shown));
