"""Answers over a real index and a real Redis with their pages, as everybody in a lab sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.access import Access
from bot.agent.cards import CardStore
from bot.agent.quoting import QuotingAnswerer
from bot.application import Application
from bot.bootstrap import IndexStatus
from bot.evidence import Answer, CitedPassage
from bot.given import GivenAnswer, new_handle
from bot.messages import Audience, Place
from bot.ports import PUBLIC_SCOPE
from bot.store.client import Store
from bot.store.given_answers import GivenAnswers
from bot.web.answer_pages import AnswerPages
from bot.web.site import PageFamily
from bot.web.templating import Templates
from knowledge.aliases import AliasTable
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.library import CatalogueLibrary
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from tests.documents import CountingProgress, FolderSource

PLACE = Place("memory", "w1", "c1", "", Audience.PRIVATE)
ASKER = "who-asked"
DAYS = 90
GIVEN_AT = 1_800_000_000.0  # 15 January 2027, 8:00 UTC


def application_of(index: KnowledgeIndex, folder: Path) -> Application:
    """Return an application that quotes an index and opens its documents."""
    cards = CardStore(folder / "answers")
    quoting = QuotingAnswerer(threshold=0.35, cards=cards)
    library = CatalogueLibrary(index.catalogue)
    retriever = HybridRetriever(index, AliasTable([]))
    return Application(retriever, IndexStatus(index), quoting, quoting, top_k=6, cards=cards, library=library)


def ingest(index: KnowledgeIndex, root: Path, scope: str = PUBLIC_SCOPE) -> None:
    """Bring a folder's documents into an index."""
    sync_source(index, FolderSource(root), scope=scope, spec=str(root), parse=parse, progress=CountingProgress())


class AnswerLab:
    """A lab whose questions are answered and kept.

    Args:
        store: Where answers are kept.
        application: Answers; None for pages without an index.
        now: When, in seconds since 1970.

    Attributes:
        given: The answers.
        access: Who may see what.
    """

    def __init__(self, store: Store, application: Application | None = None, *, now: float = GIVEN_AT) -> None:
        self._now = now
        self.store = store
        self.application = application
        self.given = GivenAnswers(store, days=DAYS)
        self.access = Access(store, administrators=(), answer_external=False)

    async def ask(self, question: str, *, scopes: Sequence[str] = (PUBLIC_SCOPE,), handle: str = "") -> GivenAnswer:
        """Answer a question and keep the answer, under a handle of its own where none is given."""
        assert self.application is not None
        answer = await self.application.ask(question, scopes=scopes)
        passages = await self.application.cited_passages(answer)
        await self.application.signature()
        return await self.keep(answer, passages, scopes=scopes, handle=handle, revision=self.application.revision)

    async def keep(
        self,
        answer: Answer,
        passages: Sequence[CitedPassage] = (),
        *,
        scopes: Sequence[str] = (PUBLIC_SCOPE,),
        handle: str = "",
        revision: int = 0,
    ) -> GivenAnswer:
        """Keep an answer as the pipeline does; the audience of its channel is known."""
        await self.access.saw(PLACE)
        rests_on = tuple(sorted({one.scope or PUBLIC_SCOPE for one in passages})) if passages else tuple(scopes)
        given = GivenAnswer(
            handle or new_handle(),
            "r1",
            PLACE,
            ASKER,
            answer.question,
            answer,
            tuple(passages),
            tuple(scopes),
            self._now,
            rests_on,
            revision=revision,
        )
        await self.store.transaction(*self.given.keep(given))
        return given

    def pages(self, templates: Templates) -> Sequence[PageFamily]:
        """Return the pages, to be served by `tests.web.serve_pages`."""
        library = self.application.library if self.application is not None else None
        return [AnswerPages(templates, self.given, self.access.may_show, library)]
