"""Drives the sandbox through FastMCP's client, whose user answers the questions."""

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run

asked = []


async def answer(message, response_type, _params, _context):
    asked.append(message)
    return ElicitResult(action="accept", content={"answer": True})


async def main():
    async with Client(StdioTransport(COMMAND, ARGUMENTS), elicitation_handler=answer) as client:
        assert [tool.name for tool in await client.list_tools()] == TOOLS

        async def call(name, arguments):
            result = await client.call_tool(name, arguments, raise_on_error=False)
            return result.content[0].text

        await journey(call, "fastmcp")
        assert len(asked) == 1 and "fastmcp" in asked[0], asked


run("FastMCP", main)
