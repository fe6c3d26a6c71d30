"""Answers lookups from GeneNetwork, and says what it is doing meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence

from bot.errors import InvalidRequestError, NotFoundError
from bot.evidence import Answer, Progress
from bot.live.answers import correlating, datasets, explaining, listings, mapping, searching, traits
from bot.live.answers.mapping import method_name
from bot.live.data import LiveData
from bot.live.lookups import (
    CompareLookup,
    CorrelationLookup,
    DatasetLookup,
    DatasetsLookup,
    ExplainLookup,
    FactsLookup,
    GeneLookup,
    GroupsLookup,
    Lookup,
    MappingLookup,
    SearchLookup,
    SpeciesLookup,
    TraitLookup,
    ValuesLookup,
)
from bot.live.recognising import recognise
from bot.live.writing import Writing
from bot.messages import Turn
from bot.pictures import Drawing
from bot.texts import computing, looking_up

EVERY_S = 10.0  # between two sentences on how long a computation has taken


class LiveAnswers:
    """Live answers; closes nothing but its own thread for pictures.

    Args:
        data: GeneNetwork.
        drawing: Where pictures are drawn; closed by whoever made it. None makes one, which `close` ends.
        hosts: Hosts besides genenetwork.org whose links count as GeneNetwork's, as `host:port` where there is a port.
        every_s: Seconds between two sentences on a computation that runs.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        data: LiveData,
        *,
        drawing: Drawing | None = None,
        hosts: Collection[str] = (),
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.data = data
        self._hosts = frozenset(hosts)
        self._every_s = every_s
        self._clock = clock
        self._drawing = drawing or Drawing()
        self._own_drawing = drawing is None

    def recognise(self, question: str, history: Sequence[Turn]) -> Lookup | None:
        """Return what a question looks up, see `bot.live.recognising`."""
        return recognise(question, history, hosts=self._hosts)

    async def stream(self, lookup: Lookup, question: str) -> AsyncGenerator[Progress | Answer]:
        """Yield what is being done and, last, the answer; closing it cancels the request to GeneNetwork.

        What is not there or cannot be understood is an answer with `answered` False.

        Raises:
            UnavailableError: If GeneNetwork is away.
            BusyError: If too many ask it.
        """
        begun = self._clock()
        yield Progress(looking_up())
        task = asyncio.create_task(self.answer(lookup, question), name="live answer")
        try:
            while not (await asyncio.wait({task}, timeout=self._every_s))[0]:
                yield Progress(computing(doing(lookup), self._clock() - begun))
            yield task.result()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def answer(self, lookup: Lookup, question: str) -> Answer:
        """Return the answer; raises as `stream`."""
        writing = Writing(question)
        try:
            query = await self._write(lookup, writing)
        except (NotFoundError, InvalidRequestError) as error:
            return Answer(question, str(error), "live", False, (), 0.0)
        return writing.answer(query=query)

    async def _write(self, lookup: Lookup, writing: Writing) -> str:
        """Write the answer; returns the SPARQL query if there was one."""
        data, drawing = self.data, self._drawing
        match lookup:
            case SpeciesLookup():
                await listings.species(data, writing)
            case GroupsLookup():
                await listings.groups(data, lookup, writing)
            case DatasetsLookup():
                await listings.datasets(data, lookup, writing)
            case FactsLookup():
                return await listings.facts(data, lookup, writing)
            case DatasetLookup():
                await datasets.dataset(data, lookup.name, writing)
            case TraitLookup():
                await traits.trait(data, lookup.trait, writing)
            case ValuesLookup():
                await traits.values(data, drawing, lookup, writing)
            case CompareLookup():
                await traits.compare(data, drawing, lookup, writing)
            case CorrelationLookup():
                await correlating.correlations(data, lookup, writing)
            case MappingLookup():
                await mapping.mapping(data, drawing, lookup, writing)
            case SearchLookup():
                await searching.search(data, lookup, writing)
            case GeneLookup():
                await searching.gene(data, lookup, writing)
            case ExplainLookup():
                await explaining.explain(data, lookup, writing)
        return ""

    def close(self) -> None:
        """End the thread for pictures, if nobody else draws there."""
        if self._own_drawing:
            self._drawing.close()


def doing(lookup: Lookup) -> str:
    """Return what GeneNetwork does for a lookup, behind its name in a sentence."""
    match lookup:
        case MappingLookup():
            return f"maps {lookup.trait} with {method_name(lookup.method)}"
        case CorrelationLookup():
            return f"correlates {lookup.trait} with {lookup.target}"
        case _:
            return "looks this up"
