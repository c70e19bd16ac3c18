"""Drives the server's sandbox through the Python SDK, in both protocol eras.

The `ClientSession` begins with initialize; the `Client` is pinned to the stateless 2026-07-28, and once more left to find
out by itself which of the two the server speaks.
"""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from mcp import Client, ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ElicitResult

SERVER = StdioServerParameters(command="apc-mcp", args=["--sandbox"])
STATELESS = "2026-07-28"
NOTHING = "cmf3n0thing00000000000000"


class User:
    """Answers the questions that come, in order, and keeps what was asked."""

    def __init__(self):
        self.answers = []
        self.asked = []

    async def __call__(self, _context, params):
        self.asked.append(params.message)
        assert self.answers, f"asked out of turn: {params.message}"
        # A no in under 100 ms is taken for the client's own.
        await asyncio.sleep(0.2)
        return self.answers.pop(0)


YES = ElicitResult(action="accept", content={"answer": True})
NO = ElicitResult(action="decline")


@asynccontextmanager
async def with_session(user):
    async with stdio_client(SERVER) as (read, write):
        async with ClientSession(read, write, elicitation_callback=user) as session:
            hello = await session.initialize()
            assert hello.server_info.name == "apc-mcp", hello
            assert hello.protocol_version < STATELESS, hello
            yield session


@asynccontextmanager
async def with_client(mode, user):
    async with Client(SERVER, mode=mode, elicitation_callback=user) as client:
        assert client.protocol_version == STATELESS, client.protocol_version
        yield client


def good(result):
    assert not result.is_error, result.content[0].text
    return result.structured_content


def refused(result, code):
    text = result.content[0].text
    assert result.is_error and text.startswith(f"{code}: "), text
    assert result.structured_content is None, result


async def visit(client, user):
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [
        "create_service_account",
        "delete_service_account",
        "get_service_accounts",
    ], tools

    listed = good(await client.call_tool("get_service_accounts", {}))
    workspace = listed["workspaces"][0]["id"]
    seeds = listed["total"]

    new = {"label": "python", "workspace_id": workspace, "role": "WORKSPACE_EDITOR"}
    created = good(await client.call_tool("create_service_account", new))
    account = created["service_account"]["id"]
    key = Path(created["api_key_file"]).read_text()
    assert len(key) == 32 and key not in str(created), created

    named = {"service_account_id": account}
    found = good(await client.call_tool("get_service_accounts", named))
    assert [each["label"] for each in found["service_accounts"]] == ["python"], found

    refused(await client.call_tool("create_service_account", new), "already_exists")
    root = new | {"label": "root", "role": "SYSTEM_ADMIN"}
    refused(await client.call_tool("create_service_account", root), "invalid_arguments")
    nothing = {"service_account_id": NOTHING}
    refused(await client.call_tool("get_service_accounts", nothing), "not_found")
    refused(await client.call_tool("delete_service_account", nothing), "not_found")
    assert user.asked == [], user.asked

    user.answers = [NO]
    refused(await client.call_tool("delete_service_account", named), "declined")
    user.answers = [YES]
    deleted = good(await client.call_tool("delete_service_account", named))
    assert deleted["service_account"]["label"] == "python", deleted
    assert len(user.asked) == 2 and all("python" in message for message in user.asked), user.asked

    refused(await client.call_tool("get_service_accounts", named), "not_found")
    assert good(await client.call_tool("get_service_accounts", {}))["total"] == seeds


async def visit_prompts(client, capabilities):
    if capabilities.prompts is None:
        return
    prompts = (await client.list_prompts()).prompts
    assert prompts, "prompts are announced and there are none"
    for prompt in prompts:
        given = {each.name: NOTHING for each in prompt.arguments or [] if each.required}
        text = (await client.get_prompt(prompt.name, given)).messages[0].content.text
        assert "service_account" in text, text


async def main():
    user = User()
    async with with_session(user) as session:
        await visit(session, user)
        await visit_prompts(session, session.server_capabilities)
    print("ok: Python SDK, ClientSession")
    for mode in (STATELESS, "auto"):
        user = User()
        async with with_client(mode, user) as client:
            await visit(client, user)
            await visit_prompts(client, client.server_capabilities)
        print(f"ok: Python SDK, Client, mode {mode}")


sys.exit(asyncio.run(asyncio.wait_for(main(), 60)))
