"""Opens the client of GeneNetwork that one process has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.bootstrap.index import MIB
from bot.response_cache import ResponseCache
from bot.settings import Settings
from knowledge.genenetwork.opening import OpenGeneNetwork, open_client
from knowledge.genenetwork.options import GeneNetworkOptions


@asynccontextmanager
async def open_genenetwork(
    settings: Settings, cache: ResponseCache | None = None, *, probe: bool = False
) -> AsyncIterator[OpenGeneNetwork | None]:
    """Open GeneNetwork's client, one per process; None where the settings say off.

    Args:
        settings: Where and how politely.
        cache: What remembers answers, such as `bot.store.genenetwork_cache`; None is this process's memory.
        probe: Look now, in the background, where GN3 stands; else nothing is asked before the first question.
    """
    if settings.genenetwork == "off":
        yield None
        return
    options = GeneNetworkOptions(
        site=settings.genenetwork_url.rstrip("/"),
        gn3=_address(settings.genenetwork_gn3_url or f"{settings.genenetwork_url.rstrip('/')}/api3"),
        sparql=_address(settings.genenetwork_sparql_url),
        contact=settings.genenetwork_contact or settings.contact,
        pause_s=settings.genenetwork_pause_s,
        quick_s=settings.genenetwork_timeout_s,
        compute_s=settings.genenetwork_compute_s,
        fresh_s=settings.genenetwork_fresh_s,
        max_bytes=settings.genenetwork_max_mib * MIB,
    )
    async with open_client(options, cache=cache) as opened:
        probing = asyncio.create_task(opened.probe(), name="GeneNetwork: where GN3 stands") if probe else None
        try:
            yield opened
        finally:
            if probing is not None:
                probing.cancel()
                await asyncio.wait({probing})


def _address(setting: str) -> str:
    return "" if setting == "none" else setting.rstrip("/")
