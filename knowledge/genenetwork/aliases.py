"""The service of gene names, a program of its own beside GN2 and GN3."""

from __future__ import annotations

import contextlib

from bot.errors import BotError
from knowledge.genenetwork.fields import as_texts
from knowledge.genenetwork.service import Service


class Aliases:
    """Other names of genes.

    Args:
        service: Its address ends before /gene/aliases.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def url(self, symbol: str) -> str:
        """Return the request for the names of a gene."""
        return self._service.url("gene", "aliases", symbol)

    async def of(self, symbol: str) -> tuple[str, ...]:
        """Return other names of a gene; none where the service does not know it, or is away: they only complete."""
        with contextlib.suppress(BotError):
            data = await self._service.get(self.url(symbol))
            return as_texts(data.value) if isinstance(data.value, list) else ()
        return ()
