// Drives the server's sandbox through the TypeScript SDK: its first line (`sdk`, which begins with initialize) and its
// second (`client`), as it is by default, left to find out what the server speaks, and pinned to the stateless 2026-07-28.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const STATELESS = "2026-07-28";
const NOTHING = "cmf3n0thing00000000000000";
const SERVER = { command: "apc-mcp", args: ["--sandbox"] };
const NAME = { name: "typescript-sdk-test", version: "1" };
const FORMS = { capabilities: { elicitation: { form: {} } } };
const YES = { action: "accept", content: { answer: true } };
const NO = { action: "decline" };

// Answers the questions that come, in order, and keeps what was asked.
class User {
  answers = [];
  asked = [];
  answer = async ({ params }) => {
    this.asked.push(params.message);
    assert.ok(this.answers.length > 0, `asked out of turn: ${params.message}`);
    // A no in under 100 ms is taken for the client's own.
    await new Promise((resolve) => setTimeout(resolve, 200));
    return this.answers.shift();
  };
}

function good(result) {
  assert.ok(!result.isError, result.content[0].text);
  return result.structuredContent;
}

function refused(result, code) {
  assert.ok(result.isError, JSON.stringify(result));
  assert.ok(result.content[0].text.startsWith(`${code}: `), result.content[0].text);
  assert.equal(result.structuredContent, undefined);
}

async function visit(client, user) {
  const call = (name, args) => client.callTool({ name, arguments: args });
  assert.equal(client.getServerVersion().name, "apc-mcp");
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map((tool) => tool.name),
    ["create_service_account", "delete_service_account", "get_service_accounts"],
  );

  const listed = good(await call("get_service_accounts", {}));
  const made = { label: "typescript", workspace_id: listed.workspaces[0].id, role: "WORKSPACE_EDITOR" };
  const created = good(await call("create_service_account", made));
  const named = { service_account_id: created.service_account.id };
  const key = readFileSync(created.api_key_file, "utf8");
  assert.ok(key.length === 32 && !JSON.stringify(created).includes(key));

  const found = good(await call("get_service_accounts", named));
  assert.deepEqual(
    found.service_accounts.map((account) => account.label),
    ["typescript"],
  );

  refused(await call("create_service_account", made), "already_exists");
  refused(await call("create_service_account", { ...made, label: "root", role: "SYSTEM_ADMIN" }), "invalid_arguments");
  refused(await call("get_service_accounts", { service_account_id: NOTHING }), "not_found");
  refused(await call("delete_service_account", { service_account_id: NOTHING }), "not_found");
  assert.deepEqual(user.asked, []);

  user.answers = [NO];
  refused(await call("delete_service_account", named), "declined");
  user.answers = [YES];
  assert.equal(good(await call("delete_service_account", named)).service_account.label, "typescript");
  assert.equal(user.asked.length, 2);
  assert.ok(user.asked.every((message) => message.includes("typescript")), user.asked.join());

  refused(await call("get_service_accounts", named), "not_found");
  assert.equal(good(await call("get_service_accounts", {})).total, listed.total);
}

async function visitPrompts(client) {
  if (!client.getServerCapabilities()?.prompts) return;
  const { prompts } = await client.listPrompts();
  assert.ok(prompts.length > 0, "prompts are announced and there are none");
  for (const { name, arguments: known = [] } of prompts) {
    const given = Object.fromEntries(known.filter((each) => each.required).map((each) => [each.name, NOTHING]));
    const { messages } = await client.getPrompt({ name, arguments: given });
    assert.match(messages[0].content.text, /service_account/);
  }
}

async function meet(what, make) {
  const user = new User();
  const { client, transport } = make(user);
  await client.connect(transport);
  try {
    await visit(client, user);
    await visitPrompts(client);
  } finally {
    await client.close();
  }
  console.log(`ok: TypeScript SDK, ${what}`);
}

function first(user) {
  const client = new FirstClient(NAME, FORMS);
  client.setRequestHandler(ElicitRequestSchema, user.answer);
  return { client, transport: new FirstTransport(SERVER) };
}

function second(mode) {
  return (user) => {
    const client = new Client(NAME, { ...FORMS, versionNegotiation: { mode } });
    client.setRequestHandler("elicitation/create", user.answer);
    return { client, transport: new StdioClientTransport(SERVER) };
  };
}

const tooLong = setTimeout(() => {
  console.error("the TypeScript SDK got no further in 60 s");
  process.exit(1);
}, 60_000);
await meet("sdk", first);
await meet("client, mode legacy", second("legacy"));
await meet("client, mode auto", second("auto"));
await meet(`client, pinned to ${STATELESS}`, second({ pin: STATELESS }));
clearTimeout(tooLong);
