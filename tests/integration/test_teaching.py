"""Files taught in a chat: real parsers in real processes, the real index, Redis, service; the chat is in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import docx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from bot.agent.cards import CardStore
from bot.agent.quoting import QuotingAnswerer
from bot.application import Application
from bot.bootstrap import IndexStatus
from bot.errors import BusyError, InvalidRequestError, UnavailableError, UnreadableError
from bot.messages import Audience, FileReference, IncomingMessage
from bot.replies import Reply, Stage
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store, number
from bot.store.drafts import Drafts
from bot.store.sent_files import SentFiles
from bot.teaching import Draft, Lesson, Shelf, safe_name
from knowledge.aliases import AliasTable
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.locks import FolderLock
from knowledge.parsing import parse
from knowledge.reading import FileReader, Limits
from knowledge.retrieval import HybridRetriever
from knowledge.taught_copies import TaughtCopies
from knowledge.teaching import FileTeacher
from tests.documents import LAB, CountingProgress, FolderSource, write_documents
from tests.e2e.test_command_line import locus
from tests.fakes import MemoryChat, message
from tests.integration.test_access import table

ROLES = frozenset({Role.ADAPTER, Role.WORKER})
DEADLINE_S = 60.0
PROTOCOL = (
    b"# Perfusion protocol\n\nMice are perfused with 20 ml of chilled zebrafinch buffer. The pump runs at 4 ml/min.\n\n"
    b"## Fixation\n\nThe tissue is fixed in paraformaldehyde overnight.\n"
)
QUESTION = "With how much zebrafinch buffer are mice perfused?"


@pytest.fixture
def index(tmp_path: Path, embedder: MiniLmEmbedder) -> Iterator[KnowledgeIndex]:
    """An index with a few public documents."""
    opened = KnowledgeIndex(tmp_path / "data", embedder)
    root = write_documents(tmp_path / "lab", LAB)
    sync_source(opened, FolderSource(root), scope="public", spec=str(root), parse=parse, progress=CountingProgress())
    yield opened
    opened.close()


def teacher_of(index: KnowledgeIndex, limits: Limits | None = None) -> FileTeacher:
    """Return the real teacher, for files of up to a MiB; its copies stand beside the index."""
    copies = TaughtCopies(index.folder.parent / "taught")
    return FileTeacher(index, FileReader(limits), copies, max_bytes=1 << 20)


class Lab:
    """A service over a real index, and people who write to it.

    Attributes:
        now: What the clock of previews and audiences says.
    """

    def __init__(self, store: Store, index: KnowledgeIndex, chat: MemoryChat, folder: Path, **settings: object) -> None:
        self.store = store
        self.index = index
        self.chat = chat
        self.teacher = teacher_of(index, Limits(seconds=40))
        self.retriever = HybridRetriever(index, AliasTable([]))
        cards = CardStore(folder / "answers")
        quoting = QuotingAnswerer(threshold=0.35, cards=cards)
        application = Application(
            self.retriever, IndexStatus(index), quoting, quoting, top_k=5, cards=cards, teacher=self.teacher
        )
        values = {"lease_s": 5.0, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **settings}
        self.service = Service(Settings.model_validate(values), application, store, [chat], ROLES)
        self.stop = asyncio.Event()
        self.number = 0

    def write(
        self,
        text: str,
        *files: tuple[str, bytes],
        user: str = "u1",
        channel: str = "c1",
        audience: Audience = Audience.PRIVATE,
        external: bool = False,
        claimed: int | None = None,
    ) -> IncomingMessage:
        """Return a message with files, which can then be fetched."""
        self.number += 1
        references = []
        for place, (name, data) in enumerate(files):
            file_id = f"f{self.number}-{place}"
            self.chat.files[file_id] = data
            references.append(FileReference(file_id, name, len(data) if claimed is None else claimed))
        made = message(text, number=self.number, user=user, channel=channel, audience=audience)
        sender = dataclasses.replace(made.sender, external=external)
        return dataclasses.replace(made, sender=sender, files=tuple(references))

    async def say(self, text: str, *files: tuple[str, bytes], **how: object) -> Reply:
        """Write something and return the final reply."""
        asked = self.write(text, *files, **how)  # type: ignore[arg-type]
        await self.service.reception.message(asked)
        await self.chat.until(asked, timeout_s=DEADLINE_S)
        (post,) = self.chat.of(asked)
        return post.now

    async def lessons(self) -> list[tuple[str, str]]:
        """Return the person and name of every file that was taught."""
        return [(one.person_id, one.name) for one in await self.teacher.lessons()]


@asynccontextmanager
async def lab(
    store: Store, index: KnowledgeIndex, folder: Path, chat: MemoryChat | None = None, **settings: object
) -> AsyncIterator[Lab]:
    """Run a service for the time of a test."""
    one = Lab(store, index, chat or MemoryChat(), folder, **settings)
    task = asyncio.create_task(one.service.run(one.stop))
    await one.service.started.wait()
    try:
        yield one
    finally:
        one.stop.set()
        await task
        one.retriever.close()


async def settled(one: Lab) -> None:
    """Wait until every request is done, which is a moment after its reply is visible."""
    async with asyncio.timeout(DEADLINE_S):
        while number(await one.store.call("XLEN", one.service.inbox.keys.inbox)):  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.01)


def pdf(pages: int = 1, *, password: str | None = None) -> bytes:
    """Return a PDF with a line on each page."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption(password, canPrint=0) if password else None)
    for page in range(pages):
        canvas.drawString(72, 720, f"The zebrafinch buffer of page {page} is kept at four degrees.")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def word() -> bytes:
    """Return a Word document."""
    document = docx.Document()
    document.add_paragraph("A study of mice", style="Title")
    document.add_paragraph("The livers were weighed in a zebrafinch balance after 24 hours.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def zip_bomb() -> bytes:
    """Return a Word document of a few hundred kB that unpacks to 400 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word())) as sound, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sound.namelist():
            data = sound.read(name)
            if name == "word/document.xml":
                data = data.replace(b"<w:body>", b"<w:body>" + b"<w:p/>" * 60_000_000)
            made.writestr(name, data)
    return buffer.getvalue()


def endless_pdf() -> bytes:
    """Return a PDF whose only page is drawn by a form that draws itself twice, and so on."""
    drawing = b"<</Length 320>>stream\n" + b"/Fm0 Do " * 40 + b"\nendstream"
    form = b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</Fm0 %d 0 R>>>>" + drawing[2:]
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</Fm0 5 0 R>>>>>>"
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", pages, page, drawing, form % 6, form % 5]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for place, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (place, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


async def test_a_taught_file_is_found_in_its_channel_only(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """The preview publishes nothing; after "keep" the answer cites the file there, and nowhere else."""
    async with lab(store, index, tmp_path) as one:
        preview = await one.say("learn this", ("Perfusion.md", PROTOCOL))
        before = await one.say(QUESTION)
        kept = await one.say("keep")
        after = await one.say(QUESTION)
        elsewhere = await one.say(QUESTION, channel="c2")
        direct = await one.say(QUESTION, channel="d1", audience=Audience.DIRECT)

        assert "`Perfusion.md`: Perfusion protocol, 2 passages. It begins: Mice are perfused" in preview.text
        assert '"keep"' in preview.text
        assert "Learnt: `Perfusion.md`, 2 passages." in kept.text
        assert (False, True) == (before.answered, after.answered)
        assert "20 ml of chilled zebrafinch buffer" in after.text
        assert ["Perfusion.md"] == [citation.source for citation in after.citations]
        assert all("Perfusion.md" != c.source for reply in (before, elsewhere, direct) for c in reply.citations)
        assert (False, False) == (elsewhere.answered, direct.answered)


@pytest.mark.parametrize(
    ("name", "data", "begins"),
    [
        (
            "notes.txt",
            b"The zebrafinch buffer is made fresh. It keeps a week.\n",
            "The zebrafinch buffer is made fresh.",
        ),
        ("paper.pdf", pdf(), "The zebrafinch buffer of page 0 is kept at four degrees."),
        ("study.docx", word(), "The livers were weighed in a zebrafinch balance after 24 hours."),
        ("really-a-pdf.md", pdf(), "The zebrafinch buffer of page 0 is kept at four degrees."),
    ],
)
async def test_formats_are_told_by_content(
    store: Store, index: KnowledgeIndex, tmp_path: Path, name: str, data: bytes, begins: str
) -> None:
    """PDF, Word, markdown and text are read, whatever the name's ending says."""
    async with lab(store, index, tmp_path) as one:
        preview = await one.say("learn this", (name, data))

        assert f"1 passage. It begins: {begins}" in preview.text


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.md", b"", "empty.md is empty."),
        (
            "locked.pdf",
            pdf(password="secret"),
            "locked.pdf is protected by a password (save a copy without the password).",
        ),
        ("cut.pdf", pdf()[:300], "cut.pdf is a damaged or truncated PDF."),
        ("picture.pdf", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture.pdf is an image and not a document"),
        ("many.pdf", pdf(2001), "many.pdf has 2,001 pages, more than 2,000: send it in parts."),
        ("big.txt", b"word " * 300_000, "`big.txt` is larger than 1 MiB"),
    ],
    ids=["empty", "locked", "cut", "picture", "pages", "large"],
)
async def test_a_file_that_cannot_be_learnt_gives_one_sentence_and_leaves_nothing(
    store: Store, index: KnowledgeIndex, tmp_path: Path, name: str, data: bytes, sentence: str
) -> None:
    """The sentence says what is wrong with it; there is nothing to keep, and nothing in the index."""
    before = index.catalogue.revision()
    async with lab(store, index, tmp_path) as one:
        reply = await one.say("learn this", (name, data))
        kept = await one.say("keep")

        assert sentence in reply.text
        assert "\n" not in reply.text
        assert "No file of yours waits here" in kept.text
        assert (before, []) == (index.catalogue.revision(), await one.lessons())


async def test_a_size_that_lies_is_found_out(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """A chat that says ten bytes does not get ten megabytes read; one that says too much is believed."""
    async with lab(store, index, tmp_path) as one:
        small = await one.say("learn this", ("a.txt", b"word " * 300_000), claimed=10)
        large = await one.say("learn this", ("b.txt", b"word"), claimed=1 << 40)

        assert ["The file a.txt is too large.", "`b.txt` is larger than 1 MiB"] == [
            small.text,
            large.text.partition(",")[0],
        ]
        assert 1 == one.chat.calls.count("fetch")


@pytest.mark.parametrize(
    ("data", "limits", "sentences"),
    [
        (
            endless_pdf(),
            Limits(seconds=2),
            ("could not be read within", "is a damaged", "holds no text", "cannot be read"),
        ),
        (zip_bomb(), Limits(seconds=40, memory_mib=400), ("needs more memory", "is a damaged", "cannot be read")),
        (b"# T\n\n" + b"many words here. " * 1000, Limits(chars=1000), ("holds more than 1,000 characters",)),
        (b"- a\n" * 2000, Limits(result_bytes=10_000), ("holds more than",)),
    ],
    ids=["endless", "bomb", "text", "structure"],
)
async def test_a_file_made_to_do_harm_is_given_up(
    embedder: MiniLmEmbedder, data: bytes, limits: Limits, sentences: tuple[str, ...]
) -> None:
    """Time, memory and the size of what comes out of it are bounded outside of this process."""
    with pytest.raises(UnreadableError) as caught:
        await FileReader(limits).read(data, "evil")

    assert any(sentence in str(caught.value) for sentence in sentences)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x", "x"),
        ("..\\..\\windows\\evil.md", "evil.md"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\x1b[31m\u202egnp.md", "a b gnp.md"),
        ("<!channel> [x](http://evil.example/a) *b*.pdf", "a) -b-.pdf"),
        ("a`b|c~d@e#f.md", "a-b-c-d-e-f.md"),
        ("Prüfung Größe 1.2_final (2).docx", "Prüfung Größe 1.2_final (2).docx"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
        (".hidden", "hidden"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    """No folder, control character, markup or mention is left of a file's name."""
    assert safe == safe_name(name)


async def test_hostile_names_and_titles_stay_words(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Neither the preview nor the list holds markup, citations or addresses in brackets of the sender's making."""
    evil = b"# <!channel> [Click](https://evil.example/?q=1) **now** [1]\n\nSee `x` [2] and ![i](https://evil.example/p).\n"
    async with lab(store, index, tmp_path) as one:
        preview = await one.say("learn this", ("../<!here> [1].md", evil))
        await one.say("keep")
        files = await one.say("files")
        answer = await one.say("What is there to click now?")

        shown = preview.text + files.text.replace("\n- ", "")
        assert 2 == shown.count("`--here- -1-.md`")
        assert not set("<>[]*`|") & set(shown.replace("`--here- -1-.md`", ""))
        assert all(citation.url is None for citation in answer.citations)
        assert ["--here- -1-.md"] == [name for _, name in await one.lessons()]


async def test_only_the_sender_keeps_and_discards(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Another person in the conversation is refused, the sender elsewhere too; discarded is gone."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        other = [(await one.say(word, user="u2")).text for word in ("keep", "discard")]
        elsewhere = await one.say("keep", channel="c2")
        discarded = await one.say("discard")
        again = await one.say("keep")

        assert ["A file waits here, but only the person who sent it may keep or discard it."] * 2 == other
        assert "No file of yours waits here" in elsewhere.text
        assert "Dropped: `a.md`." in discarded.text
        assert "No file of yours waits here" in again.text
        assert [] == await one.lessons()


async def test_a_preview_expires_after_a_day(store: Store) -> None:
    """The draft has the lifetime in Redis, and counts no longer against what may wait."""
    now = [1_000_000.0]
    drafts = Drafts(store, clock=lambda: now[0])
    asked = message("learn this")
    draft = Draft("a.md", "A", 1, "", 10, "x")
    await store.transaction(*await drafts.put(asked.place, asked.sender.person_id, [draft]))
    keys = [store.key("draft", asked.place.conversation_id, asked.sender.person_id), store.key("drafts")]
    lifetimes = [number(await store.call("PTTL", key)) for key in keys]
    waits = await drafts.others_wait(asked.place)
    now[0] += 86_401

    assert all(86_000_000 < lifetime <= 86_400_000 for lifetime in lifetimes)
    assert (True, False) == (waits, await drafts.others_wait(asked.place))


async def test_previews_are_bounded(store: Store) -> None:
    """A person may have five conversations with files that wait; a sixth is refused with a sentence."""
    drafts = Drafts(store)
    draft = Draft("a.md", "A", 1, "", 10, "x")
    person = message("x").sender.person_id
    for channel in range(5):
        place = message("x", channel=f"c{channel}").place
        await store.transaction(*await drafts.put(place, person, [draft]))
    again = await drafts.put(message("x", channel="c0").place, person, [draft])
    with pytest.raises(InvalidRequestError, match="several conversations"):
        await drafts.put(message("x", channel="c9").place, person, [draft])

    assert again


async def test_files_of_an_earlier_message_are_learnt(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """A question with a file is answered, says that the file was not read, and "learn this" then finds it."""
    async with lab(store, index, tmp_path) as one:
        asked = await one.say("How many BXD strains are there?", ("a.md", PROTOCOL))
        others = await one.say("learn this", user="u2")
        mine = await one.say("learn this")

        assert asked.answered
        assert 'The file was not read: to teach me it, write "learn this".' in asked.note
        assert "There is no file with your message" in others.text
        assert "`a.md`: Perfusion protocol" in mine.text


async def test_a_file_without_words_gets_the_words(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """A file dropped without a question is no error; what to write is said, and writing it works."""
    async with lab(store, index, tmp_path) as one:
        dropped = await one.say("", ("a.md", PROTOCOL))
        learnt = await one.say("learn this")

        assert "I did not read the file" in dropped.text
        assert "`a.md`: Perfusion protocol" in learnt.text


async def test_several_files_are_kept_together(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """One bad file does not keep the others away; equal names are told apart; an earlier preview is kept with them."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("first.txt", b"The first zebrafinch file."))
        preview = await one.say("learn these", ("a.md", PROTOCOL), ("a.md", b"Another zebrafinch text."), ("b.md", b""))
        kept = await one.say("keep")
        files = await one.say("files", user="u2")

        assert ["a (2).md", "a.md", "first.txt"] == sorted(name for _, name in await one.lessons())
        assert "b.md is empty." in preview.text
        assert "`first.txt`, `a.md` and `a (2).md`" in kept.text
        assert "I was taught 3 files here" in files.text
        assert "by you" not in files.text


async def test_files_are_forgotten_by_name_and_in_their_thread(
    store: Store, index: KnowledgeIndex, tmp_path: Path
) -> None:
    """What was taught is found no more, its cached answers are not given again, and nothing of the source is left."""
    async with lab(store, index, tmp_path) as one:
        for name, data in (("a.md", PROTOCOL), ("b.md", b"The zebrafinch balance is cleaned weekly.")):
            await one.say("learn this", (name, data))
            await one.say("keep")
        first = await one.say(QUESTION)
        which = await one.say("forget this file")
        unknown = await one.say("forget file c.md")
        by_name = await one.say('forget file "A.md"')
        second = await one.say(QUESTION)
        last = await one.say("forget this file")
        none = await one.say("forget this file")
        files = await one.say("files")

        assert (True, False) == (first.answered, second.answered)
        assert "Several files were taught in this conversation, `a.md` and `b.md`" in which.text
        assert "I was taught no file `c.md` here" in unknown.text
        assert ["Forgotten: `a.md`.", "Forgotten: `b.md`."] == [
            r.text[: r.text.index(".md") + 5] for r in (by_name, last)
        ]
        assert "No file was taught in this conversation" in none.text
        assert "I was taught no files here." in files.text.replace(". To", ".\nTo")
        assert ["public"] == [scope for _, scope, _, _, _ in index.catalogue.sources()]


async def test_the_page_says_who_may_do_what(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Every row of the table in docs/access.md, over real commands."""
    users = {
        "administrator": "boss",
        "who may teach": "teacher",
        "who taught the file, and may not now": "former",
        "another member": "member",
        "guest": "guest",
    }
    rows = table("Files taught in a channel")
    done: list[list[str]] = []
    async with lab(store, index, tmp_path, teachers=("memory//teacher",), administrators=("memory/w1/boss",)) as one:
        for who, seen, *_ in rows:
            made = message("x", user=users[who], audience=Audience.PRIVATE)
            shelf = Shelf(made.place.channel_id, f"channel-{made.place.channel_id}")
            by = made.sender.person_id if who.startswith("who taught") else "somebody"
            lesson = await taught(one.teacher, shelf, await one.teacher.read(PROTOCOL, "a.md"), person_id=by)
            how = {
                "user": users[who],
                "external": who == "guest",
                "audience": Audience.PRIVATE if seen == "seen" else Audience.PUBLIC,
            }
            learns = (await one.say("learn this", ("b.md", PROTOCOL), **how)).text.startswith("`b.md`: ")
            learns &= (await one.say("keep", **how)).text.startswith("Learnt")
            lists = lesson.name in (await one.say("files", **how)).text
            forgets = (await one.say("forget file a.md", **how)).text.startswith("Forgotten")
            done.append([who, seen, *("yes" if may else "no" for may in (learns, lists, forgets))])
            # As narrow as before, so that the next one finds the channel as it was.
            await one.say("help", user="boss")

        assert {"seen", "not seen"} == {row[1] for row in rows}
        assert rows == done


async def test_who_may_teach_and_forget(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Teachers and administrators may; others are refused before anything is fetched; who taught may always forget."""
    teachers, boss = ("memory//u1", "memory//u2"), ("memory/w1/boss",)
    async with lab(store, index, tmp_path, teachers=teachers, administrators=boss) as one:
        refused = await one.say("learn this", ("a.md", PROTOCOL), user="u3")
        fetched = one.chat.calls.count("fetch")
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        not_theirs = await one.say("forget file a.md", user="u3")
        by_teacher = await one.say("forget file a.md", user="u2")
        await one.say("learn this", ("b.md", PROTOCOL), user="boss")
        by_administrator = await one.say("keep", user="boss")

        assert ("You may not teach me files here" in refused.text, 0) == (True, fetched)
        assert "may have it forgotten" in not_theirs.text
        assert by_teacher.text.startswith("Forgotten: `a.md`.")
        assert by_administrator.text.startswith("Learnt: `b.md`")


@pytest.mark.parametrize("answer_external", [True, False])
async def test_guests_neither_teach_nor_see(
    store: Store, index: KnowledgeIndex, tmp_path: Path, *, answer_external: bool
) -> None:
    """A guest cannot teach, list or forget, whether or not guests are answered."""
    async with lab(store, index, tmp_path, answer_external=answer_external) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        replies = [
            await one.say("learn this", ("b.md", PROTOCOL), external=True, user="guest"),
            await one.say("files", external=True, user="guest"),
            await one.say("forget file a.md", external=True, user="guest"),
        ]

        assert not any("Perfusion" in reply.text for reply in replies)
        assert ["a.md"] == [name for _, name in await one.lessons()]


async def test_a_channel_that_became_wider_is_taught_nothing(
    store: Store, index: KnowledgeIndex, tmp_path: Path
) -> None:
    """Neither read nor kept, also when the preview was made before; what is there is not listed."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        wider = [
            await one.say("keep", audience=Audience.PUBLIC),
            await one.say("learn this", ("b.md", PROTOCOL), audience=Audience.PUBLIC),
            await one.say("files", audience=Audience.PUBLIC),
        ]
        narrow = await one.say("keep")

        assert all("no documents of its own now" in reply.text for reply in wider)
        assert "Learnt: `a.md`" in narrow.text


async def test_the_same_name_replaces(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """The preview says so, and afterwards only the new text is found."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        preview = await one.say("learn this", ("a.md", PROTOCOL.replace(b"20 ml", b"35 ml")))
        await one.say("keep")
        answer = await one.say(QUESTION)

        assert "It replaces the file of that name that I know." in preview.text
        assert ("35 ml" in answer.text, "20 ml" in answer.text) == (True, False)


async def test_dying_between_publishing_and_finishing_teaches_once(
    store: Store, index: KnowledgeIndex, tmp_path: Path
) -> None:
    """A second attempt finds everything published, changes no revision, and says the same."""
    chat = MemoryChat()
    async with lab(store, index, tmp_path, chat) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await settled(one)
        finish = one.service.inbox.keep_done
        died: list[int] = []

        def dying(request: object) -> object:
            if not died:
                died.append(index.catalogue.revision())
                raise UnavailableError("This process is dead.", retry_after_s=0.01)
            return finish(request)  # type: ignore[arg-type]

        one.service.inbox.keep_done = dying  # type: ignore[method-assign, assignment]
        kept = await one.say("keep")
        await settled(one)

        assert [index.catalogue.revision()] == died
        assert "Learnt: `a.md`" in kept.text
        assert 1 == len(await one.lessons())
        assert "No file of yours waits here" in (await one.say("keep")).text


async def test_two_people_keep_at_the_same_time(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Both files are there afterwards, each in its own channel."""
    async with lab(store, index, tmp_path) as one:
        for place in ("c1", "c2", "c3"):
            await one.say("learn this", (f"{place}.md", PROTOCOL), channel=place, user=f"u-{place}")
        replies = await asyncio.gather(*(one.say("keep", channel=c, user=f"u-{c}") for c in ("c1", "c2", "c3")))
        answers = [await one.say(QUESTION, channel=place) for place in ("c1", "c2", "c3")]

        assert all(reply.text.startswith("Learnt") for reply in replies)
        assert [["c1.md"], ["c2.md"], ["c3.md"]] == [[c.source for c in answer.citations] for answer in answers]


async def test_a_busy_index_is_waited_for(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """While another process writes, the person reads that it follows by itself; it does."""
    chat = MemoryChat()
    async with lab(store, index, tmp_path, chat) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        keeping = one.write("keep")
        with FolderLock(index.folder / "ingest.lock", what="`locus ingest`"):
            await one.service.reception.message(keeping)
            async with asyncio.timeout(DEADLINE_S), chat.changed:
                await chat.changed.wait_for(
                    lambda: any("follows by itself" in post.now.text for post in chat.of(keeping))
                )
        await chat.until(keeping, timeout_s=DEADLINE_S)

        (post,) = chat.of(keeping)
        assert post.now.text.startswith("Learnt: `a.md`")


async def test_another_process_searches_and_writes_after_teaching(
    store: Store, index: KnowledgeIndex, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """A second index on the same folder sees what was taught, adds to it, and neither loses what the other wrote."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        other = KnowledgeIndex(tmp_path / "data", embedder)
        elsewhere = teacher_of(other)
        (lesson,) = await elsewhere.lessons()
        draft = await elsewhere.read(b"The quokka balance stands in room seven.", "b.txt")
        await taught(elsewhere, lesson.shelf, draft)
        await one.say("learn this", ("c.md", b"The axolotl scale stands in room nine."))
        await one.say("keep")
        answers = [await one.say(f"Where does the {what} stand?") for what in ("quokka balance", "axolotl scale")]
        first = await one.say(QUESTION)
        other.close()

        assert [["b.txt"], ["c.md"]] == [[citation.source for citation in answer.citations][:1] for answer in answers]
        assert "20 ml" in first.text


async def test_an_ingest_between_two_lessons_loses_nothing(
    store: Store, index: KnowledgeIndex, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """`locus ingest` writes to the same store between two files; afterwards every text has its vector."""
    write_documents(tmp_path / "more", {"quokka.md": "# Quokka\n\nThe quokka balance stands in room seven.\n"})
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        done = await asyncio.to_thread(locus, "ingest", "more", "--data-dir", "data", cwd=tmp_path)
        await one.say("learn this", ("c.md", b"The axolotl scale stands in room nine."))
        await one.say("keep")
        answers = [await one.say(f"Where does the {what} stand?") for what in ("quokka balance", "axolotl scale")]
    revision = index.revision(index.catalogue.revision())
    assert revision is not None
    scopes = {scope for _, scope, _, _, _ in index.catalogue.sources()}
    stored = sum(revision.vectors.count(scope) for scope in scopes)

    assert 0 == done.returncode
    assert [["quokka.md"], ["c.md"]] == [[citation.source for citation in answer.citations][:1] for answer in answers]
    assert stored == sum(1 for _ in index.catalogue.all_chunks())


async def taught(teacher: FileTeacher, shelf: Shelf, draft: Draft, *, person_id: str = "p") -> Lesson:
    """Teach a draft to the end."""
    steps = [step async for step in teacher.teach(shelf, draft, person_id=person_id, conversation_id="k")]
    assert isinstance(steps[-1], Lesson)
    return steps[-1]


async def test_giving_up_publishes_nothing(index: KnowledgeIndex) -> None:
    """Closing the work before its end leaves the shelf as it was, and the next one begins at once."""
    teacher = teacher_of(index)
    text = "\n\n".join(
        f"# Part {part}\n\nSentence {part} about the wombat protocol number {part}." for part in range(300)
    )
    draft = await teacher.read(text.encode(), "long.md")
    shelf, before = Shelf("ch", "channel-ch"), index.catalogue.revision()
    steps = teacher.teach(shelf, draft, person_id="p", conversation_id="k")
    first = [await anext(steps), await anext(steps)]
    await steps.aclose()
    left = await teacher.lessons(shelf)
    lesson = await taught(teacher, shelf, draft)

    assert ([0, 256], [], before) == (first, list(left), index.catalogue.revision() - 1)
    assert (300, "long.md") == (lesson.passages, lesson.name)


async def test_a_teacher_that_is_busy_raises(index: KnowledgeIndex) -> None:
    """The sentence names the process that writes, and withdrawing waits for it alike."""
    teacher = teacher_of(index)
    draft = await teacher.read(PROTOCOL, "a.md")
    shelf = Shelf("ch", "channel-ch")
    with FolderLock(index.folder / "ingest.lock", what="`locus ingest`"):
        with pytest.raises(BusyError):
            await taught(teacher, shelf, draft)
        with pytest.raises(BusyError):
            await teacher.withdraw(shelf, "a.md")

    assert not await teacher.withdraw(shelf, "a.md")


async def test_forget_me_and_export_name_files(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """The export names what was sent, what waits and what was taught; forgetting drops all but what was taught."""
    async with lab(store, index, tmp_path) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        await one.say("learn this", ("b.md", PROTOCOL))
        exported = await one.say("export", channel="d1", audience=Audience.DIRECT)
        stored = json.loads(exported.attachments[0].data)
        explained = await one.say("forget me")
        await one.say("forget me now")
        kept = await one.say("keep")
        sender = message("").sender
        place = message("", channel="c1", audience=Audience.PRIVATE).place

        assert ["a.md"] == [file["name"] for file in stored["files_taught"]]
        assert [["b.md"], ["b.md"]] == [stored[part][0]["names"] for part in ("files_waiting", "files_sent")]
        assert "Files that you taught belong to their channel and stay too" in explained.text
        assert "No file of yours waits here" in kept.text
        assert () == await SentFiles(store).find(place.conversation_id, sender.person_id)
        assert ["a.md"] == [name for _, name in await one.lessons()]


async def test_an_index_made_anew_is_taught_again(
    store: Store, index: KnowledgeIndex, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """From copies that only the account of Locus can read; what was forgotten stays so, and twice adds nothing."""
    async with lab(store, index, tmp_path) as one:
        for name in ("a.md", "b.md"):
            await one.say("learn this", (name, PROTOCOL))
            await one.say("keep")
        await one.say("forget file b.md")
        (before,) = await one.teacher.lessons()
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "data" / "taught").rglob("*") if path.is_file()]
    anew = KnowledgeIndex(tmp_path / "anew", embedder)
    (tmp_path / "data" / "taught").rename(tmp_path / "anew" / "taught")
    teacher = teacher_of(anew)
    restored = [lesson async for lesson in teacher.restore()]
    again = [lesson async for lesson in teacher.restore()]
    (after,) = await teacher.lessons()
    anew.close()

    assert [0o600] == modes
    assert ([before], [], before) == (restored, again, after)


async def test_progress_is_shown_in_the_one_message(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """Reading and learning are told in the message that becomes the result."""
    chat = MemoryChat()
    async with lab(store, index, tmp_path, chat) as one:
        await one.say("learn this", ("a.md", PROTOCOL))
        await one.say("keep")
        shown = [[reply.text.partition(",")[0] for reply in post.history] for post in chat.posts.values()]
        stages = {reply.stage for post in chat.posts.values() for reply in post.history[:-1]}

        assert ["Reading `a.md` …", "`a.md`: Perfusion protocol"] == shown[0]
        assert ["Learning `a.md`", "Learning `a.md`", "Learnt: `a.md`"] == shown[1]
        assert {Stage.WAITING} == stages


async def test_learning_without_a_chat_says_where(store: Store, index: KnowledgeIndex, tmp_path: Path) -> None:
    """A command beside the conversation has no file; the others work there."""
    async with lab(store, index, tmp_path) as one:
        asked = one.write("x")
        replies: list[Reply | None] = [
            await one.service.reception.command(asked.place, asked.sender, text)
            for text in ("learn this", "files", "keep")
        ]
        texts = [reply.text if reply is not None else "" for reply in replies]

        assert "Files are taught in a conversation with me" in texts[0]
        assert "I was taught no files here" in texts[1]
        assert "No file of yours waits here" in texts[2]


def test_the_bomb_and_the_endless_file_are_small() -> None:
    """What the harmful files would cost is not their size."""
    sizes: list[Callable[[], bytes]] = [zip_bomb, endless_pdf]

    assert all(len(make()) < 1 << 20 for make in sizes)
