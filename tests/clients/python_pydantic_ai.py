"""Drives the sandbox through an agent of Pydantic AI, whose model is a function of ours."""

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from python_journey import ARGUMENTS, COMMAND, TOOLS, journey, run


def model_that_calls(name, arguments, said):
    """A model that makes one call and then ends; it keeps the tools it saw and what it was told."""

    def turn(messages, info):
        said["tools"] = sorted(tool.name for tool in info.function_tools)
        last = messages[-1].parts[-1]
        if last.part_kind == "user-prompt":
            return ModelResponse(parts=[ToolCallPart(name, arguments)])
        content = last.content
        said["text"] = content if isinstance(content, str) else last.model_response_str()
        return ModelResponse(parts=[TextPart("done")])

    return FunctionModel(turn)


async def main():
    toolset = MCPToolset(StdioTransport(COMMAND, ARGUMENTS))
    async with toolset:

        async def call(name, arguments):
            said = {}
            agent = Agent(model_that_calls(name, arguments, said), toolsets=[toolset])
            await agent.run("Go on.")
            assert said["tools"] == TOOLS, said
            return said["text"]

        await journey(call, "pydantic-ai")


run("Pydantic AI", main)
