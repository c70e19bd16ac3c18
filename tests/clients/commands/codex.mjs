// Has Codex tell through its app server which MCP servers it has, which makes it start them and list their tools.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const TOOLS = ["create_service_account", "delete_service_account", "get_service_accounts"];
const codex = spawn("codex", ["app-server"], { stdio: ["pipe", "pipe", "ignore"] });
const tooLong = setTimeout(() => {
  console.error("Codex got no further in 60 s");
  process.exit(1);
}, 60_000);
const send = (message) => codex.stdin.write(`${JSON.stringify(message)}\n`);

send({ id: 1, method: "initialize", params: { clientInfo: { name: "test", title: "test", version: "1" } } });
for await (const line of createInterface({ input: codex.stdout })) {
  const { id, error, result } = JSON.parse(line);
  assert.equal(error, undefined, line);
  if (id === 1) {
    send({ method: "initialized" });
    send({ id: 2, method: "mcpServerStatus/list", params: {} });
  } else if (id === 2) {
    const server = result.data.find((each) => each.name === "apc-mcp");
    assert.equal(server?.serverInfo?.name, "apc-mcp", line);
    assert.deepEqual(Object.keys(server.tools).sort(), TOOLS);
    break;
  }
}
codex.stdin.end();
codex.kill();
clearTimeout(tooLong);
console.log("ok: Codex, added by the line that is printed, lists the tools");
