"""Live answers from the local GeneNetwork, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.live.answering import LiveAnswers
from bot.settings import Settings
from knowledge.genenetwork.live import LiveGeneNetwork
from tests.genenetwork import client_of
from tests.gn_server import GeneNetworkServer


@asynccontextmanager
async def live_answers(server: GeneNetworkServer, *, every_s: float = 3600.0) -> AsyncIterator[LiveAnswers]:
    """Open what answers from a local GeneNetwork with all its services."""
    async with client_of(server, sparql=True) as opened:
        live = LiveAnswers(LiveGeneNetwork(opened.client), every_s=every_s)
        try:
            yield live
        finally:
            live.close()


def live_settings(folder: Path, server: GeneNetworkServer, **settings: object) -> Settings:
    """Return settings that name a local GeneNetwork."""
    values = {
        "data_dir": folder,
        "genenetwork_url": server.url,
        "genenetwork_gn3_url": server.gn3_url,
        "genenetwork_sparql_url": server.sparql_url,
        "genenetwork_pause_s": 0,
        **settings,
    }
    return Settings.model_validate(values)
