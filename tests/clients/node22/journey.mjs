// The journey that each JavaScript framework makes through the server's sandbox; `call` returns the text of a result.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const SERVER = { command: "apc-mcp", args: ["--sandbox"] };
export const TOOLS = ["create_service_account", "delete_service_account", "get_service_accounts"];
export const YES = { action: "accept", content: { answer: true } };
const NOTHING = "cmf3n0thing00000000000000";

function good(text) {
  assert.ok(text.startsWith("{"), text);
  return JSON.parse(text);
}

function refused(text, code) {
  assert.ok(text.includes(`${code}: `) && !text.startsWith("{"), text);
}

export async function journey(call, label) {
  const listed = good(await call("get_service_accounts", {}));
  const made = { label, workspace_id: listed.workspaces[0].id, role: "WORKSPACE_EDITOR" };
  const created = good(await call("create_service_account", made));
  const key = readFileSync(created.api_key_file, "utf8");
  assert.ok(key.length === 32 && !JSON.stringify(created).includes(key));
  const named = { service_account_id: created.service_account.id };
  const found = good(await call("get_service_accounts", named));
  assert.deepEqual(found.service_accounts.map((account) => account.label), [label]);
  refused(await call("create_service_account", made), "already_exists");
  refused(await call("get_service_accounts", { service_account_id: NOTHING }), "not_found");
  assert.equal(good(await call("delete_service_account", named)).deleted, true);
  refused(await call("get_service_accounts", named), "not_found");
  assert.equal(good(await call("get_service_accounts", {})).total, listed.total);
}
