"""An application that can be taught, for tests: a real index, and answers that quote it."""

from __future__ import annotations

from pathlib import Path

from bot.agent.cards import CardStore
from bot.agent.quoting import QuotingAnswerer
from bot.application import Application
from bot.bootstrap import IndexStatus
from knowledge.aliases import AliasTable
from knowledge.index import KnowledgeIndex
from knowledge.reading import FileReader, Limits
from knowledge.retrieval import HybridRetriever
from knowledge.taught_copies import TaughtCopies
from knowledge.teaching import FileTeacher

PROTOCOL = (
    b"# Perfusion protocol\n\nMice are perfused with 20 ml of chilled zebrafinch buffer. The pump runs at 4 ml/min.\n\n"
    b"## Fixation\n\nThe tissue is fixed in zebrafinch solution overnight.\n"
)


def taught_application(index: KnowledgeIndex, folder: Path) -> Application:
    """Return an application around an index; a file may have a MiB."""
    copies = TaughtCopies(folder / "taught")
    teacher = FileTeacher(index, FileReader(Limits(seconds=40)), copies, max_bytes=1 << 20)
    cards = CardStore(folder / "answers")
    quoting = QuotingAnswerer(threshold=0.35, cards=cards)
    retriever = HybridRetriever(index, AliasTable([]))
    return Application(
        retriever,
        IndexStatus(index),
        quoting,
        quoting,
        top_k=5,
        cards=cards,
        teacher=teacher,
        threshold=0.35,
        embeds=index.embedder,
    )
