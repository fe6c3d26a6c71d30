"""The style sheet and the icon: read once, served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.web.access import everybody
from bot.web.templating import NavLink

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".js": "text/javascript"}
YEAR_S = 31_536_000


class Files:
    """The assets; make it in a thread, as it reads them.

    Attributes:
        versions: The name of each file with a digest of what is in it, which its address carries.
    """

    def __init__(self) -> None:
        self._files = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.suffix in TYPES}
        self.versions = {name: hashlib.sha256(data).hexdigest()[:12] for name, data in self._files.items()}

    def routes(self) -> Sequence[Route]:
        """Where they are."""
        return [Route("/static/{name}", self._show)]

    def links(self) -> Sequence[NavLink]:
        """Nowhere in the navigation."""
        return ()

    @everybody
    async def _show(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        kept = f"public, max-age={YEAR_S}, immutable" if request.query_params.get("v") == self.versions[name] else None
        headers = {"cache-control": kept or "no-cache"}
        return Response(self._files[name], headers=headers, media_type=TYPES[Path(name).suffix])
