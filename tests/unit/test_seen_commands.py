"""`scope` and `sources`: what people are told about the documents that are seen where they ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.access import Access, own_scope
from bot.commands import CommandContext, Commands, find_command
from bot.commands.sources import public_titles, shown_name
from bot.messages import Audience, IncomingMessage, Place
from bot.ports import IndexedSource, IndexFacts
from bot.requests import Request
from bot.store.answer_cache import AnswerCache
from bot.store.client import Store
from bot.store.conversations import Conversations
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.people import People
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex, index_facts
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from tests.documents import CountingProgress, FolderSource
from tests.fakes import HeldAnswerer, held_application, message

PUBLIC = IndexedSource("/srv/secret/place/gn-docs", "public", 4300, ("BXD family", "QTL mapping"))
WEB = IndexedSource("https://ada:key@example.org/docs?token=1", "public", 1)


class Seeing:
    """Commands over an index with made-up sources."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, *sources: IndexedSource) -> None:
        inbox = Inbox(store)
        conversations = Conversations(store, days=1, tokens=1000)
        people = People(inbox, conversations, AnswerCache(store, hours=1), GivenAnswers(store, days=1))
        application = held_application(HeldAnswerer())
        self.access = Access(store, administrators=(), answer_external=False)
        self.commands = Commands(application, inbox, conversations, people, access=self.access)
        self.blind = Commands(application, inbox, conversations, people)

        async def facts() -> IndexFacts:
            return IndexFacts(1, "2026-11-01T09:00:00+00:00", 1, sources)

        monkeypatch.setattr(application, "facts", facts)

    async def type(self, asked: IncomingMessage, commands: Commands | None = None) -> str:
        """Return what a command says."""
        command = find_command(asked.text)
        assert command is not None
        context = CommandContext(asked.place, asked.sender, Request(asked.request_id, asked))
        return (await (commands or self.commands).run(command, context)).reply.text


def own(place: Place, *titles: str) -> IndexedSource:
    """Return a source of a channel's own scope."""
    return IndexedSource(f"upload:{place.channel_id}/protocol.pdf", own_scope(place), 2, titles)


async def test_scope_names_the_documents_of_the_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a direct conversation the public ones and its own, and only the public ones where outsiders read along."""
    seeing = Seeing(store, monkeypatch)
    direct = await seeing.type(message("scope"))
    blind = await seeing.type(message("scope"), seeing.blind)
    shared = await seeing.type(message("scope", channel="c2", audience=Audience.SHARED))

    assert "belong to this conversation" in direct
    assert "Here I answer from the public documents only." == blind
    assert "I may not answer here" in shared


async def test_sources_of_another_channel_are_not_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place sees the public sources and its own; the largest stands first."""
    here, elsewhere = message("sources"), message("sources", channel="c2")
    seeing = Seeing(store, monkeypatch, WEB, PUBLIC, own(here.place))

    assert "I have read:\n- gn-docs: 4,300 documents\n- protocol.pdf: 2 documents, seen here only\n" in (
        await seeing.type(here)
    )
    assert "protocol" not in await seeing.type(elsewhere)
    assert "protocol" not in await seeing.type(here, seeing.blind)


async def test_no_sources_are_said_to_be_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first ingest, and where everything belongs to another place."""
    seeing = Seeing(store, monkeypatch, own(message("", channel="c9").place))

    assert "I have read no documents that are seen here." == await seeing.type(message("sources"))


async def test_a_long_list_is_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty sources and how many more there are."""
    seeing = Seeing(store, monkeypatch, *(IndexedSource(f"s{number}", "public", 1) for number in range(25)))
    lines = (await seeing.type(message("sources"))).splitlines()

    assert (22, "- and 5 more") == (len(lines), lines[-1])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/ada/notes/", "notes"),
        ("C:\\Users\\ada\\notes", "notes"),
        ("starter", "starter"),
        ("upload:abc/x.pdf", "x.pdf"),
        ("https://ada:key@example.org/a/b?token=1", "example.org/a/b"),
        ("\x07", "…"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_of_sources_say_nothing_of_the_machine(name: str, shown: str) -> None:
    """Neither folders nor what stands in an address besides host and path."""
    assert shown == shown_name(name)


def test_titles_are_of_public_documents_only() -> None:
    """Those of a channel's own documents are suggested to nobody."""
    private = own(message("").place, "Secret protocol")

    assert ("BXD family", "QTL mapping") == public_titles((private, WEB, PUBLIC))


def test_the_index_tells_its_sources(tmp_path: Path, embedder: MiniLmEmbedder) -> None:
    """Name, scope, number of documents and titles of the largest ones."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "short.md").write_text("# Short\n\nA QTL is a locus.\n")
    (folder / "long.md").write_text("# Long\n\n" + "\n\n".join(f"## Part {n}\n\n" + "word " * 400 for n in range(4)))
    index = KnowledgeIndex(tmp_path / "data", embedder)
    try:
        sync_source(index, FolderSource(folder), scope="public", spec="docs", parse=parse, progress=CountingProgress())
        facts = index_facts(index)
    finally:
        index.close()

    assert (2, ("public", 2, ("Long", "Short"))) == (
        facts.documents,
        (facts.sources[0].scope, facts.sources[0].documents, facts.sources[0].titles),
    )
