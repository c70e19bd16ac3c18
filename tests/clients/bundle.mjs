// Starts the server as a host starts the bundle: with what the bundle's own library makes of the manifest, once as it is
// after installation and once with a setting made. Takes the folder in which manifest.json and server/ are.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [folder] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8"));

async function started(userConfig, visit) {
  const { command, args, env } = await getMcpConfigForManifest({
    manifest,
    extensionPath: folder,
    systemDirs: {},
    userConfig,
    pathSeparator: "/",
  });
  assert.ok(!JSON.stringify({ command, args, env }).includes("${"), "a placeholder is left");
  const client = new Client({ name: "bundle-test", version: "1" });
  await client.connect(new StdioClientTransport({ command, args, env }));
  try {
    await visit(client);
  } finally {
    await client.close();
  }
}

const get = (client) => client.callTool({ name: "get_service_accounts", arguments: {} });

await started({}, async (client) => {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), manifest.tools.map((tool) => tool.name));
  const refused = await get(client);
  assert.match(refused.content[0].text, /^not_configured: /);
  assert.doesNotMatch(refused.content[0].text, /placeholder/);
});
await started({ sandbox: true, read_only: true }, async (client) => {
  assert.equal((await client.listTools()).tools.length, 1);
  assert.ok(!(await get(client)).isError);
});
console.log("ok: bundle, as installed and with settings");
