"""Has google-genai convert the tools to Gemini's function declarations, and drives the sandbox with its session."""

from google.genai._mcp_utils import mcp_to_gemini_tools
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run


def assert_declared(declaration, tool):
    """Every argument reaches the model, with its description."""
    declared = declaration.parameters or declaration.parameters_json_schema
    properties = declared["properties"] if isinstance(declared, dict) else declared.properties
    assert sorted(properties) == sorted(tool.input_schema["properties"]), declaration
    for name, schema in properties.items():
        text = schema["description"] if isinstance(schema, dict) else schema.description
        assert text == tool.input_schema["properties"][name]["description"], name


async def main():
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        declared = [each for tool in mcp_to_gemini_tools(tools) for each in tool.function_declarations]
        assert [each.name for each in declared] == TOOLS, declared
        for declaration, tool in zip(declared, tools, strict=True):
            assert_declared(declaration, tool)

        async def call(name, arguments):
            result = await session.call_tool(name, arguments)
            return result.content[0].text

        await journey(call, "genai")


run("google-genai", main)
