"""Drives the sandbox through the tool set of Google's Agent Development Kit, and reads its function declarations."""

from unittest.mock import MagicMock

from google.adk.tools.mcp_tool.mcp_session_manager import StdioConnectionParams
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset
from mcp import StdioServerParameters

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run


def assert_declared(tool):
    declaration = tool._get_declaration()
    schema = declaration.parameters or declaration.parameters_json_schema
    properties = schema["properties"] if isinstance(schema, dict) else schema.properties
    assert declaration.description and properties, declaration


async def main():
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS)
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server, timeout=30))
    try:
        tools = {tool.name: tool for tool in await toolset.get_tools()}
        assert sorted(tools) == TOOLS
        for tool in tools.values():
            assert_declared(tool)

        async def call(name, arguments):
            said = await tools[name].run_async(args=arguments, tool_context=MagicMock())
            return said["content"][0]["text"]

        await journey(call, "adk")
    finally:
        await toolset.close()


run("Google ADK", main)
