"""Drives the sandbox through LangChain's MCP adapters, with the function schemas that its models get."""

from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run


async def main():
    client = MultiServerMCPClient({"apc": {"command": COMMAND, "args": ARGUMENTS, "transport": "stdio"}})
    async with client.session("apc") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        assert sorted(tools) == TOOLS
        for tool in tools.values():
            for strict in (False, True):
                function = convert_to_openai_tool(tool, strict=strict)["function"]
                properties = function["parameters"]["properties"]
                assert properties and all(each["description"] for each in properties.values()), function

        async def call(name, arguments):
            try:
                said = await tools[name].ainvoke(arguments)
            except ToolException as error:
                return str(error)
            return said if isinstance(said, str) else said[0]["text"]

        await journey(call, "langchain")


run("LangChain MCP adapters", main)
