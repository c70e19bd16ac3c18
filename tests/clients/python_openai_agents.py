"""Drives the sandbox through the OpenAI Agents SDK, whose strict schemas have a model fill in every argument."""

import json

from agents import FunctionTool, RunContextWrapper
from agents.mcp import MCPServerStdio, MCPUtil
from agents.tool_context import ToolContext

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run


def filled_in(tool, arguments):
    """Fills in what a model means to leave out, as it does where every property is required."""
    properties = tool.params_json_schema["properties"]
    assert tool.strict_json_schema, f"{tool.name} has no strict schema"
    assert sorted(tool.params_json_schema["required"]) == sorted(properties), tool.params_json_schema
    empty = {"string": "", "integer": None, "boolean": None}
    return {name: arguments.get(name, empty[schema["type"]]) for name, schema in properties.items()}


async def main():
    server = MCPServerStdio(params={"command": COMMAND, "args": ARGUMENTS}, client_session_timeout_seconds=30)
    async with server:
        tools = [MCPUtil.to_function_tool(tool, server, True) for tool in await server.list_tools()]
        assert [tool.name for tool in tools] == TOOLS and all(isinstance(tool, FunctionTool) for tool in tools)

        async def call(name, arguments):
            tool = next(tool for tool in tools if tool.name == name)
            given = json.dumps(filled_in(tool, arguments))
            context = ToolContext(RunContextWrapper(None).context, tool_name=name, tool_call_id="1", tool_arguments=given)
            said = await tool.on_invoke_tool(context, given)
            return said["text"] if isinstance(said, dict) else said

        await journey(call, "agents")


run("OpenAI Agents SDK, strict schemas", main)
