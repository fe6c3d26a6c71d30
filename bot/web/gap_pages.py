"""What the documents do not answer, for the data steward: the list, a page for each gap, and putting one aside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.application import Application
from bot.errors import BotError, NotFoundError, UnavailableError
from bot.evidence import Evidence
from bot.mending.board import Board, GapBoard, GapEntry, GapState
from bot.mending.suggesting import Nearby, Suggestion, suggest
from bot.settings import Settings
from bot.store.client import Store
from bot.store.feedback import Feedback
from bot.store.gap_states import MAX_REASON_CHARS, GapStates
from bot.store.gaps import Unanswered
from bot.web.access import needs
from bot.web.forms import read_fields
from bot.web.sessions import Role
from bot.web.templating import NavLink, Templates

PATH = "/gaps"
ON_A_PAGE = 50
WORDINGS = 5  # shown of a gap in the list
NO_INDEX = "This process of Locus has no index: open the dashboard of one that answers questions (`--role worker`)."
NOT_THERE = "There is no such gap: its questions may have been deleted, or are too old."
NO_REASON = "Say in a few words why the gap is put aside, so that others understand it later."

Search = Callable[[str], Awaitable[Evidence]]


@dataclass(frozen=True, slots=True)
class Place:
    """A passage that comes near to a gap now."""

    title: str
    url: str
    heading: str


class GapPages:
    """The pages.

    Args:
        templates: Render.
        board: What there is; None in a process without an index.
        states: Where it is kept what was put aside.
        search: Returns the public passages for a question.
    """

    def __init__(
        self, templates: Templates, board: GapBoard | None, states: GapStates, search: Search | None = None
    ) -> None:
        self._templates = templates
        self._board = board
        self._states = states
        self._search = search

    def routes(self) -> Sequence[Route]:
        """Return the list, a gap, and what is done with one."""
        return [
            Route(PATH, self._list),
            Route(f"{PATH}/{{reference}}", self._show),
            Route(f"{PATH}/{{reference}}/aside", self._put_aside, methods=["POST"]),
            Route(f"{PATH}/{{reference}}/back", self._take_back, methods=["POST"]),
        ]

    def links(self) -> Sequence[NavLink]:
        """Return the list."""
        return [NavLink("Gaps", PATH)]

    @needs(Role.STEWARD)
    async def _list(self, request: Request) -> Response:
        board = await self._read()
        state = _state(request.query_params.get("state", ""))
        page = _page(request.query_params.get("page", ""))
        entries = board.of(state)
        begin = (page - 1) * ON_A_PAGE
        return self._templates.render(
            request,
            "gaps.html",
            board=board,
            state=state,
            counts=[(one, len(board.of(one))) for one in GapState],
            entries=entries[begin : begin + ON_A_PAGE],
            wordings={one.reference: _wordings(one) for one in entries[begin : begin + ON_A_PAGE]},
            total=len(entries),
            page=page,
            pages=max(1, -(-len(entries) // ON_A_PAGE)),
        )

    @needs(Role.STEWARD)
    async def _show(self, request: Request) -> Response:
        entry = await self._entry(request)
        return await self._shown(request, entry)

    async def _shown(self, request: Request, entry: GapEntry, problem: str = "", status: int = 200) -> Response:
        places, suggestion = await self._near(entry)
        return self._templates.render(
            request,
            "gap.html",
            status,
            entry=entry,
            suggestion=suggestion,
            places=places,
            problem=problem,
            longest=MAX_REASON_CHARS,
        )

    @needs(Role.STEWARD)
    async def _put_aside(self, request: Request) -> Response:
        entry = await self._entry(request)
        reason = (await read_fields(request)).get("reason", "").strip()
        if not reason:
            return await self._shown(request, entry, NO_REASON, 400)
        await self._states.put_aside(entry.references, reason)
        return self._to(entry)

    @needs(Role.STEWARD)
    async def _take_back(self, request: Request) -> Response:
        entry = await self._entry(request)
        await self._states.take_back(entry.references)
        return self._to(entry)

    def _to(self, entry: GapEntry) -> Response:
        return RedirectResponse(self._templates.address.path(PATH, entry.reference), 303)

    async def _read(self) -> Board:
        if self._board is None:
            raise UnavailableError(NO_INDEX)
        return await self._board.read()

    async def _entry(self, request: Request) -> GapEntry:
        entry = (await self._read()).find(str(request.path_params["reference"]))
        if entry is None:
            raise NotFoundError(NOT_THERE)
        return entry

    async def _near(self, entry: GapEntry) -> tuple[list[Place], Suggestion]:
        """Return where the public documents come near now, and what that suggests."""
        if self._search is None:
            return [], entry.suggestion
        try:
            evidence = await self._search(entry.gap.question)
        except BotError:
            return [], entry.suggestion  # nothing is indexed, or it is no question
        places: dict[tuple[str, str], Place] = {}
        for passage in evidence.passages:
            home = passage.home
            places.setdefault((home.source, passage.heading), Place(home.title, home.url or "", passage.heading))
        nearest = list(places.values())[:5]
        return nearest, suggest(entry.gap, [Nearby(one.title, one.heading) for one in nearest])


def make_gap_pages(settings: Settings, templates: Templates, store: Store, application: Application | None) -> GapPages:
    """Return the pages of a process; without an application that can embed questions they say so."""
    days = settings.retention_days
    states = GapStates(store, days=days)
    if application is None or application.embeds is None:
        return GapPages(templates, None, states)
    board = GapBoard(
        Unanswered(store, days=days),
        Feedback(store, days=days, limit=settings.feedback_kept),
        states,
        application.embeds,
        scopes=settings.dashboard_scopes,
    )
    return GapPages(templates, board, states, application.search)


def _wordings(entry: GapEntry) -> list[str]:
    """Return some other wordings of a gap's question."""
    others = dict.fromkeys(one.question for one in entry.gap.questions if one.question != entry.gap.question)
    return list(others)[:WORDINGS]


def _state(text: str) -> GapState:
    return GapState(text) if text in list(GapState) else GapState.OPEN


def _page(text: str) -> int:
    return min(max(1, int(text)), 1_000_000) if text.isascii() and text.isdigit() and len(text) < 8 else 1
