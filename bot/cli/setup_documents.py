"""The step of documents: which sources, and bringing them in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.cli.ingesting import ingest_documents
from bot.cli.setup_work import Work
from bot.errors import NotFoundError

STARTER = "starter"
GN_DOCS = "https://github.com/genenetwork/gn-docs"


def set_up_documents(work: Work) -> None:
    """Ask for the sources, write LOCUS_SOURCES, and sync them if that is wanted now."""
    asker, known = work.asker, work.settings().sources
    sources = []
    if asker.yes("Use the documents about GeneNetwork that come with Locus?", default=STARTER in known):
        sources.append(STARTER)
    if asker.yes(f"Use GeneNetwork's own documentation ({GN_DOCS}, some thousand pages)?", default=GN_DOCS in known):
        sources.append(GN_DOCS)
    others = [one for one in known if one not in (STARTER, GN_DOCS)]
    sources += asker.until(lambda: _others(work, others))
    if not sources:
        asker.say("  No source was chosen: Locus answers nothing before `locus ingest` has brought documents in.")
        return
    work.keep({"LOCUS_SOURCES": " ".join(sources)})
    if asker.yes("Bring them in now?", default=True):
        settings = work.settings()
        if asyncio.run(ingest_documents(settings, settings.sources)):
            asker.say("  Some could not be brought in; `locus ingest` tries again.", "yellow")


def _others(work: Work, known: list[str]) -> list[str]:
    """Return folders and addresses, as they are typed.

    Raises:
        NotFoundError: If a folder is not there.
    """
    default = " ".join(known)
    question = "Further sources: folders of the lab, git repositories or web pages, separated by spaces (- for none)"
    answer = work.asker.text(question, default)
    found = []
    for one in () if answer == "-" else answer.split():
        if "://" in one:
            found.append(one)
            continue
        path = Path(one).expanduser()
        if not path.exists():
            raise NotFoundError(f"{path} is not there: check the spelling; a path with spaces cannot be used here.")
        found.append(str(path.absolute()))
    return found
