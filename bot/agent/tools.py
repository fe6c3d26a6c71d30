"""Tools of the agent: read-only, with typed arguments, bound to the scopes of the conversation that asks."""

from __future__ import annotations

from langchain.tools import ToolRuntime
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from bot.agent.context import QuestionContext
from bot.agent.passages import fit_passages, render_passage, render_passages
from bot.errors import BotError
from bot.plain_text import without_controls

MAX_QUERY_CHARS = 300
MAX_SEARCHES = 4  # of one question
NEW_PASSAGES = 4  # most a search adds
SEARCHED = 10  # passages looked through for new ones
MIN_ROOM = 200  # tokens; with less, no passage worth reading fits


class SearchArguments(BaseModel):
    """What the model may say when it searches; anything else it says is left out, scopes above all."""

    query: str = Field(description="What to look for, in a few words.")


async def _search_documents(query: str, runtime: ToolRuntime[QuestionContext, object]) -> str:
    context = runtime.context
    query = " ".join(without_controls(query).split())[:MAX_QUERY_CHARS]
    if not any(char.isalnum() for char in query):
        return "The query is empty."
    async with context.lock:
        if context.searches >= MAX_SEARCHES or context.room < MIN_ROOM:
            return "There is no room for further passages: answer from those given."
        context.searches += 1
        try:
            evidence = await context.retriever.search(query, scopes=context.asked.scopes, top_k=SEARCHED)
            given = {passage.passage_id for passage in context.passages}
            new = [passage for passage in evidence.passages if passage.passage_id not in given][:NEW_PASSAGES]
            first = len(context.passages) + 1
            texts = [render_passage(number, passage) for number, passage in enumerate(new, start=first)]
            counts = await context.model.count_tokens(texts)
        except BotError:
            return "The documents cannot be searched now: answer from the passages given."
        if not new:
            return "The documents hold no further passages on this."
        kept = fit_passages(new, counts, context.room)
        context.room -= sum(counts[: len(kept)])
        context.passages.extend(kept)
        return render_passages(kept, first=first)


search_documents: BaseTool = StructuredTool.from_function(
    coroutine=_search_documents,
    name="search_documents",
    description="Search the documents again with another query, where the given passages lack what the question needs.",
    args_schema=SearchArguments,
)
