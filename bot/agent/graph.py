"""The LangChain agent: built once, run once for each question with that question's context."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command
from langsmith import tracing_context

from bot.agent.cards import ToolUse
from bot.agent.chat_model import LocusChatModel
from bot.agent.citations import citation_grammar
from bot.agent.context import QuestionContext
from bot.agent.recording import RecordedModel
from bot.agent.tools import MIN_ROOM
from bot.errors import UnavailableError
from bot.generation import GenerationEvent
from bot.ports import LanguageModel
from bot.texts import budget_spent

MIN_SECONDS = 0.001  # a deadline is never zero
STEPS_PER_CALL = 4  # of the graph: the model, its tools, and room for middleware

WRONG_CALL = "There is no such tool, or its arguments are wrong."

Agent = CompiledStateGraph[AgentState[Any], QuestionContext, Any, Any]
Handler = Callable[[ModelRequest[QuestionContext]], Awaitable[ModelResponse[Any]]]


class QuestionMiddleware(AgentMiddleware[AgentState[Any], QuestionContext]):
    """Gives each call of the model what its question allows: sampling, grammar, tools, tokens and seconds."""

    async def awrap_model_call(self, request: ModelRequest[QuestionContext], handler: Handler) -> ModelResponse[Any]:
        """Make the call within the question's budget.

        Raises:
            UnavailableError: If the budget is spent.
        """
        context = request.runtime.context
        budget = context.budget
        if budget.spent:
            raise UnavailableError(budget_spent())
        model = LocusChatModel(
            model=context.model,
            sampling=replace(context.sampling, max_tokens=min(context.sampling.max_tokens, budget.tokens_left)),
            user=context.asked.user,
            conversation=context.asked.conversation,
            grammar=citation_grammar(len(context.passages)),
            thinking=context.thinking,
            deadline_s=max(MIN_SECONDS, budget.seconds_left),
        )
        tools = request.tools if budget.calls_left > 1 and context.room >= MIN_ROOM else []
        return await handler(request.override(model=model, tools=tools))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """Call the tool and write down what it was asked and what it said."""
        result = await handler(request)
        if not isinstance(result, ToolMessage) or result.status == "error":
            # LangChain's own words repeat what the model wrote.
            result = ToolMessage(WRONG_CALL, tool_call_id=request.tool_call["id"], status="error")
        context = cast("QuestionContext", request.runtime.context)
        context.tool_uses.append(ToolUse(request.tool_call["name"], request.tool_call["args"], str(result.text)))
        return result


def build_agent(model: LanguageModel, tools: Sequence[BaseTool], system: str) -> Agent:
    """Return the agent; takes tens of milliseconds, so it is built once."""
    return create_agent(
        LocusChatModel(model=model),
        tools=list(tools),
        system_prompt=system,
        middleware=[QuestionMiddleware()],
        context_schema=QuestionContext,
    )


async def run_agent(
    agent: Agent, context: QuestionContext, messages: Sequence[BaseMessage], model: LanguageModel
) -> AsyncGenerator[GenerationEvent]:
    """Yield the events of all the agent's calls as they come; closing it ends the call that runs.

    Nothing is traced, whatever the environment says: questions and documents stay on this machine.

    Args:
        agent: As built.
        context: Of the question; its `model` is set here.
        messages: The prompt without the system message.
        model: Writes.

    Raises:
        BotError: What the model raises, and UnavailableError when the budget is spent.
    """
    queue: asyncio.Queue[GenerationEvent | None] = asyncio.Queue()
    context.model = RecordedModel(model, context.calls, "answer", queue.put_nowait)

    async def answer() -> None:
        with tracing_context(enabled=False):
            await agent.ainvoke(
                {"messages": list(messages)},
                config={"recursion_limit": STEPS_PER_CALL * (context.budget.calls_left + 1)},
                context=context,
            )

    task = asyncio.create_task(answer(), name="agent")
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
