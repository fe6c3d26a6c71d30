"""A client of the local GeneNetwork for tests, with clocks that do not wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.response_cache import ResponseCache
from knowledge.genenetwork.opening import OpenGeneNetwork, open_client
from knowledge.genenetwork.options import GeneNetworkOptions
from knowledge.genenetwork.timing import Timing
from tests.gn_server import GeneNetworkServer


class Clocks:
    """Clocks that stand still until somebody sleeps or `advance` is called.

    Attributes:
        slept: Seconds of every sleep, in order.
    """

    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.slept: list[float] = []

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def timing(self) -> Timing:
        """As the client wants them."""
        return Timing(monotonic=lambda: self.seconds, now=lambda: self.seconds, sleep=self.sleep)


def options_for(server: GeneNetworkServer, *, gn3: bool = True, sparql: bool = False) -> GeneNetworkOptions:
    """Return options of a client of the local server."""
    return GeneNetworkOptions(
        site=server.url,
        gn3=server.gn3_url if gn3 else "",
        sparql=server.sparql_url if sparql else "",
        contact="lab@example.org",
        pause_s=0.0,
    )


@asynccontextmanager
async def client_of(
    server: GeneNetworkServer,
    *,
    gn3: bool = True,
    sparql: bool = False,
    clocks: Clocks | None = None,
    cache: ResponseCache | None = None,
    **changes: float,
) -> AsyncIterator[OpenGeneNetwork]:
    """Open a client of the local server; `changes` are fields of its options."""
    options = replace(options_for(server, gn3=gn3, sparql=sparql), **changes)  # type: ignore[arg-type]
    async with open_client(options, cache=cache, timing=(clocks or Clocks()).timing) as opened:
        yield opened
