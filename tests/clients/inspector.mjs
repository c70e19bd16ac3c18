// Drives both entries of mcp.json through the Inspector's CLI, of its first or second line. Every call is a server, and a
// sandbox, of its own; the CLI brings no answers of a user, so its deletion goes without a question.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const [cli, config] = process.argv.slice(2);
const NOTHING = "cmf3n0thing00000000000000";

async function inspect(server, ...request) {
  const given = [cli, "--cli", "--config", config, "--server", server, ...request];
  const ended = promisify(execFile)(process.execPath, given, { timeout: 30_000 });
  // The second line ends with an error where a result is one.
  const { stdout } = await ended.catch((error) => (error.stdout ? error : Promise.reject(error)));
  return JSON.parse(stdout);
}

const tools = (server) => inspect(server, "--method", "tools/list");

function call(server, name, args = {}) {
  const given = Object.entries(args).flatMap(([key, value]) => ["--tool-arg", `${key}=${value}`]);
  return inspect(server, "--method", "tools/call", "--tool-name", name, ...given);
}

function good(result) {
  assert.ok(!result.isError, JSON.stringify(result));
  return result.structuredContent;
}

function refused(result, code) {
  assert.ok(result.isError && result.content[0].text.startsWith(`${code}: `), JSON.stringify(result));
}

for (const server of ["apc-mcp", "apc-mcp-sandbox"]) {
  assert.equal((await tools(server)).tools.length, 3, server);
}
refused(await call("apc-mcp", "get_service_accounts"), "not_configured");

const sandbox = "apc-mcp-sandbox";
const listed = good(await call(sandbox, "get_service_accounts", { limit: 1 }));
const seed = listed.service_accounts[0];
const workspace_id = listed.workspaces[0].id;
const created = good(await call(sandbox, "create_service_account", { label: "inspector", workspace_id }));
assert.equal(created.service_account.label, "inspector");
const found = good(await call(sandbox, "get_service_accounts", { service_account_id: seed.id }));
assert.deepEqual(
  found.service_accounts.map((account) => account.label),
  [seed.label],
);
const deleted = good(await call(sandbox, "delete_service_account", { service_account_id: seed.id }));
assert.equal(deleted.service_account.label, seed.label);
const root = { label: "root", workspace_id, role: "SYSTEM_ADMIN" };
refused(await call(sandbox, "create_service_account", root), "invalid_arguments");
refused(await call(sandbox, "delete_service_account", { service_account_id: NOTHING }), "not_found");
console.log("ok: Inspector's CLI, both entries of mcp.json");
