"""The tool that asks GeneNetwork: the same functions as the commands for people, with typed arguments.

A result becomes a numbered passage, fenced like those of the documents: it can be cited, what is said of it is checked
against it, and nothing in it can call a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from langchain.tools import ToolRuntime
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from bot.agent.context import QuestionContext
from bot.agent.passages import fit_passages, render_passage, render_passages
from bot.agent.tools import MIN_ROOM
from bot.errors import BotError
from bot.evidence import Answer, Home, Passage, Sentence
from bot.live.answering import LiveAnswers
from bot.live.grammar import trait_name
from bot.live.identifiers import is_dataset, is_group, kind_of
from bot.live.lookups import (
    CorrelationLookup,
    DatasetLookup,
    DatasetsLookup,
    ExplainLookup,
    GeneLookup,
    GroupsLookup,
    Lookup,
    MappingLookup,
    SearchLookup,
    TraitLookup,
    TraitName,
    ValuesLookup,
)
from bot.plain_text import one_line
from bot.ports import PUBLIC_SCOPE

MAX_CALLS = 3  # of one question; each may cost GeneNetwork minutes
MAX_NAME = 100  # characters
MAX_PASSAGE = 3000  # characters of a result that the model reads
NO_ROOM = "There is no room for further passages: answer from those given."
WRONG_NAME = "Name a trait as BXD_10001, or as 1436869_at in HC_M2_0606_P, and a dataset as HC_M2_0606_P."
NOT_NOW = "GeneNetwork cannot be asked now: answer from the passages given."

What = Literal[
    "trait",
    "values",
    "map",
    "correlate",
    "dataset",
    "datasets",
    "search genes",
    "search phenotypes",
    "gene",
    "identifier",
    "groups",
]


class LiveArguments(BaseModel):
    """What the model may ask of GeneNetwork."""

    what: What = Field(description="What to look up.")
    name: str = Field(
        description="A trait (BXD_10001, or 1436869_at in HC_M2_0606_P), dataset, group, species, gene symbol, "
        "identifier, or words to search for.",
        max_length=300,
    )
    other: str = Field(
        "", description="correlate: name of the other dataset; datasets: part of a tissue's name.", max_length=MAX_NAME
    )


def live_tool(live: LiveAnswers) -> BaseTool:
    """Return the tool; it only reads. One with a choice costs a small model less to read than one for each."""

    async def ask_genenetwork(
        what: What, name: str, runtime: ToolRuntime[QuestionContext, object], other: str = ""
    ) -> str:
        lookup = lookup_of(what, one_line(name), one_line(other))
        return WRONG_NAME if lookup is None else await _passage_of(live, lookup, runtime.context)

    return StructuredTool.from_function(
        coroutine=ask_genenetwork,
        name="ask_genenetwork",
        description="Look up data in GeneNetwork: what a trait is, its values, its QTL map, datasets, genes.",
        args_schema=LiveArguments,
    )


def lookup_of(what: What, name: str, other: str) -> Lookup | None:
    """Return what the arguments ask for, or None where the name cannot be one."""
    makers: Mapping[What, Callable[[TraitName], Lookup]] = {
        "trait": TraitLookup,
        "values": ValuesLookup,
        "map": MappingLookup,
        "correlate": lambda trait: CorrelationLookup(trait, other),
    }
    if what in makers:
        trait = trait_name(name)
        fits = trait is not None and (what != "correlate" or is_dataset(other))
        return makers[what](trait) if trait is not None and fits else None
    if not name and what != "groups":
        return None
    others: Mapping[What, Callable[[], Lookup | None]] = {
        "dataset": lambda: DatasetLookup(name) if is_dataset(name) else None,
        "datasets": lambda: DatasetsLookup(name, tissue=other) if is_group(name) else None,
        "search genes": lambda: SearchLookup("gene", name),
        "search phenotypes": lambda: SearchLookup("phenotype", name),
        "gene": lambda: GeneLookup(name),
        "identifier": lambda: ExplainLookup(name) if kind_of(name) is not None else None,
        "groups": lambda: GroupsLookup(name),
    }
    return others[what]()


async def _passage_of(live: LiveAnswers, lookup: Lookup, context: QuestionContext) -> str:
    async with context.lock:
        if context.live_calls >= MAX_CALLS or context.room < MIN_ROOM:
            return NO_ROOM
        context.live_calls += 1
    try:
        answer = await live.answer(lookup, context.asked.question)
    except BotError:
        return NOT_NOW
    if not answer.answered:
        return one_line(answer.text)[:300]
    async with context.lock:
        passage = passage_of(answer)
        number = len(context.passages) + 1
        try:
            counts = await context.model.count_tokens([render_passage(number, passage)])
        except BotError:
            return NOT_NOW
        if context.room < MIN_ROOM:
            return NO_ROOM
        kept = fit_passages([passage], counts, context.room)
        context.room -= min(counts[0], context.room)
        context.passages.extend(kept)
        context.live_answers.append(answer)
        return render_passages(kept, first=number)


def passage_of(answer: Answer) -> Passage:
    """Return a live answer as a passage: its lines are its sentences, its home is GeneNetwork's page."""
    lines = [one_line(line) for line in _without_numbers(answer.text)[:MAX_PASSAGE].splitlines()]
    sentences = [line.lstrip("- ") for line in lines if line and not line.startswith(("| ---", "To run this", "Say "))]
    first = answer.citations[0]
    text = "\n".join(sentences)
    return Passage(
        f"live:{first.url}:{len(text)}",
        text,
        "",
        (Home("GeneNetwork", f"{first.title} ({answer.note.partition(';')[0]})", first.url),),
        1.0,
        tuple(Sentence(one, 1.0, True, place, "row") for place, one in enumerate(sentences)),
        scope=PUBLIC_SCOPE,
    )


def _without_numbers(text: str) -> str:
    for number in range(1, 100):
        text = text.replace(f" [{number}]", "")
    return text.replace("**", "")
