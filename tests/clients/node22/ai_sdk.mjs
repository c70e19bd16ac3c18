// Drives the sandbox through Vercel's AI SDK, whose user answers the questions.

import assert from "node:assert/strict";

import { createMCPClient, ElicitationRequestSchema } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { asSchema } from "ai";

import { journey, SERVER, TOOLS, YES } from "./journey.mjs";

const client = await createMCPClient({
  transport: new StdioTransport(SERVER),
  capabilities: { elicitation: {} },
});
let asked = 0;
client.onElicitationRequest(ElicitationRequestSchema, async () => {
  asked += 1;
  return YES;
});
try {
  const tools = await client.tools();
  assert.deepEqual(Object.keys(tools), TOOLS);
  for (const tool of Object.values(tools)) {
    const { properties } = await asSchema(tool.inputSchema).jsonSchema;
    assert.ok(Object.values(properties).every((each) => each.description), tool.description);
  }
  const call = async (name, args) => {
    const { content } = await tools[name].execute(args, { toolCallId: "1", messages: [] });
    return content[0].text;
  };
  await journey(call, "ai-sdk");
  assert.equal(asked, 1);
} finally {
  await client.close();
}
console.log("ok: AI SDK");
