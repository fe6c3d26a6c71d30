"""Puts the client together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.errors import BotError
from bot.response_cache import ResponseCache
from knowledge.genenetwork.aliases import Aliases
from knowledge.genenetwork.cache import MemoryCache
from knowledge.genenetwork.catalogue import Catalogue
from knowledge.genenetwork.client import GeneNetwork
from knowledge.genenetwork.gn2 import Gn2
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.http import PoliteHttp
from knowledge.genenetwork.links import Links
from knowledge.genenetwork.options import GeneNetworkOptions
from knowledge.genenetwork.service import Service
from knowledge.genenetwork.sparql import Sparql
from knowledge.genenetwork.timing import Timing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenGeneNetwork:
    """The client, and the catalogue for digests, on one line to GeneNetwork; and GN3, or None where that is off."""

    client: GeneNetwork
    catalogue: Catalogue
    http: PoliteHttp
    gn3: Gn3 | None = None

    async def probe(self) -> None:
        """Look where GN3 stands before anybody asks; whatever comes of it is one line of the log."""
        if self.gn3 is None:
            return
        try:
            there = await self.gn3.is_there()
        except BotError as error:
            logger.info("where GN3 stands is looked up again with the first question: %s", error)
        else:
            logger.info("GN3 %s %s", "answers at" if there else "does not answer at", self.gn3.base)


@asynccontextmanager
async def open_client(
    options: GeneNetworkOptions, *, cache: ResponseCache | None = None, timing: Timing | None = None
) -> AsyncIterator[OpenGeneNetwork]:
    """Open the client; nothing is asked before the first call. One per process: it is what keeps to one request.

    Args:
        options: Where and how.
        cache: Remembers answers; None is this process's memory.
        timing: Clocks.
    """
    clocks = timing or Timing()
    kept = cache or MemoryCache()
    async with PoliteHttp(options, timing=clocks) as http:

        def service(name: str, base: str) -> Service:
            return Service(name, base, http=http, cache=kept, options=options, timing=clocks)

        gn2 = Gn2(service("GeneNetwork", options.gn2))
        gn3 = Gn3(service("GeneNetwork's search", options.gn3), timing=clocks) if options.gn3 else None
        sparql = Sparql(service("GeneNetwork's SPARQL service", options.sparql)) if options.sparql else None
        aliases = Aliases(service("GeneNetwork's service of gene names", f"{options.site}/gn3"))
        client = GeneNetwork(gn2, gn3, sparql, aliases, Links(options.site))
        yield OpenGeneNetwork(client, Catalogue(client, gn2, gn3), http, gn3)
