"""Pages for people, so that links of a demonstration lead somewhere."""

from __future__ import annotations

import html

from aiohttp import web

from tests.gn_server.world import World

PAGES = ("/show_trait", "/gsearch", "/search", "/datasets/{name}", "/phenotypes/{group}/{number}",
         "/genotypes/{marker}", "/genewiki/{symbol}",
         "/probesets/{dataset}/{name}", "/publications/{pubmed}")  # fmt: skip


def page_routes(world: World) -> list[web.RouteDef]:
    """Return the addresses; each page names what was asked for and how many datasets there are."""

    async def page(request: web.Request) -> web.Response:
        asked = html.escape(request.path_qs)
        text = f"<!DOCTYPE html><title>Local GeneNetwork</title><p>{asked}</p><p>{len(world.datasets)} datasets</p>"
        return web.Response(text=text, content_type="text/html")

    return [web.get(path, page) for path in PAGES]
