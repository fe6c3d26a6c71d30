"""The page of each answer: for everybody in the lab, as long as the answer is kept. Reading only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.errors import NotFoundError
from bot.evidence import Citation, CitedPassage
from bot.given import GivenAnswer
from bot.library import DocumentView, Library, Wanted
from bot.ports import PUBLIC_SCOPE
from bot.store.given_answers import GivenAnswers
from bot.web import answer_texts as texts
from bot.web.access import needs
from bot.web.answer_views import AnswerView, PassageView, view_answer, view_document, view_passage
from bot.web.sessions import Role
from bot.web.templating import NavLink, Templates

PATH = "/answers"
DOCUMENTS = "documents"
PARTS = 24  # of a document on one page; some 25,000 characters
BEFORE = 4  # of these before the passage


@dataclass(frozen=True, slots=True)
class _Shown:
    """An answer that this visitor may see."""

    given: GivenAnswer
    view: AnswerView


class AnswerPages:
    """Shows answers with their passages, and the public documents these stand in.

    Args:
        templates: Render.
        given: Answers by their handles.
        may_show: True where what an answer was made from may still be seen in its channel, see `bot.access.Access`.
        library: Opens documents; None in a process without an index, where passages are shown alone.
    """

    def __init__(
        self,
        templates: Templates,
        given: GivenAnswers,
        may_show: Callable[[GivenAnswer], Awaitable[bool]],
        library: Library | None,
    ) -> None:
        self._templates = templates
        self._given = given
        self._may_show = may_show
        self._library = library

    def routes(self) -> Sequence[Route]:
        """Return the answer, and a document that it cites."""
        return [
            Route(f"{PATH}/{{handle}}", self._show_answer),
            Route(f"{PATH}/{{handle}}/{DOCUMENTS}/{{n:int}}", self._show_document),
        ]

    def links(self) -> Sequence[NavLink]:
        """None: only the chat that an answer was given in leads to it."""
        return ()

    @needs(Role.READER)
    async def _show_answer(self, request: Request) -> Response:
        shown = await self._find(request)
        return self._templates.render(request, "answer.html", answer=shown.view)

    @needs(Role.READER)
    async def _show_document(self, request: Request) -> Response:
        shown = await self._find(request)
        n = int(request.path_params["n"])
        passage = next((one for one in shown.given.passages if one.citation.n == n), None)
        first = _part(request.query_params.get("from", ""))
        document = None
        if passage is not None and passage.scope == PUBLIC_SCOPE:
            document = await self._open(passage, first=first, before=BEFORE, count=PARTS)
        if passage is None or document is None:
            raise NotFoundError(texts.passage_not_there())
        cited = next(one for one in shown.view.passages if one.n == n)
        view = view_document(passage.citation, document, cited, count=PARTS)
        return self._templates.render(
            request,
            "answer_document.html",
            answer=shown.view,
            document=view,
            page=self._path(shown.given.handle),
            path=self._document_path(shown.given.handle, n),
        )

    async def _find(self, request: Request) -> _Shown:
        """Return the answer of a request.

        Raises:
            NotFoundError: If it is not kept, or may not be seen; which of the two is not told.
        """
        found = await self._given.find_kept(str(request.path_params["handle"]))
        if found is None:
            raise NotFoundError(texts.not_kept())
        given, kept_until = found
        if not given.public and not await self._may_show(given):
            raise NotFoundError(texts.not_kept())
        by_number = {one.citation.n: one for one in given.passages}
        cited = given.answer.citations
        live = given.answer.mode == "live"
        views = (self._view(given.handle, one, by_number.get(one.n), live=live) for one in cited)
        passages = await asyncio.gather(*views)
        on_page = request.path_params.get("n") is None
        page = "" if on_page else self._path(given.handle)
        return _Shown(given, view_answer(given, kept_until, passages, place_of=lambda n: f"{page}#passage-{n}"))

    async def _view(self, handle: str, citation: Citation, passage: CitedPassage | None, *, live: bool) -> PassageView:
        document, looked = None, False
        # GeneNetwork's data are no document, though they may be cited beside some.
        if passage is not None and passage.scope == PUBLIC_SCOPE and (passage.passage_id or not live):
            document = await self._open(passage, first=None, before=1, count=3)
            looked = self._library is not None
        path = f"{self._document_path(handle, citation.n)}#passage"
        return view_passage(citation, passage, document, path=path, looked=looked)

    async def _open(self, passage: CitedPassage, *, first: int | None, before: int, count: int) -> DocumentView | None:
        if self._library is None:
            return None
        citation = passage.citation
        wanted = Wanted(citation.source, citation.url, passage.passage_id, passage.text, first, before, count)
        return await self._library.open(wanted)

    def _path(self, handle: str) -> str:
        return self._templates.address.path(PATH, handle)

    def _document_path(self, handle: str, n: int) -> str:
        return self._templates.address.path(PATH, handle, DOCUMENTS, str(n))


def _part(text: str) -> int | None:
    """Return the position, from 0, of the part that an address names, from 1; None where it names none."""
    return int(text) - 1 if text.isascii() and text.isdecimal() and 1 <= len(text) <= 7 and int(text) else None
