// Drives the sandbox through Mastra, which checks arguments and results against the tools' schemas.

import assert from "node:assert/strict";

import { MCPClient } from "@mastra/mcp";

import { journey, SERVER, TOOLS, YES } from "./journey.mjs";

let asked = 0;
const inputRequests = async () => {
  asked += 1;
  return YES;
};
const client = new MCPClient({ servers: { apc: { ...SERVER, inputRequests } } });
try {
  const tools = await client.listTools();
  assert.deepEqual(Object.keys(tools).sort(), TOOLS.map((name) => `apc_${name}`));
  const call = async (name, args) => {
    try {
      return JSON.stringify(await tools[`apc_${name}`].execute(args, {}));
    } catch (error) {
      return error.message;
    }
  };
  await journey(call, "mastra");
  assert.equal(asked, 1);
} finally {
  await client.disconnect();
}
console.log("ok: Mastra");
