"""Files of a chat in the index: each is a source of its own, named `upload:CHANNEL_ID/NAME`, in its channel's scope.

So a file that turns out to be poisoned can be traced to its channel and withdrawn; who taught it, where and when stands
beside the source. Published revisions make all cached answers stale, those that rest on it among them.
"""

from __future__ import annotations

import asyncio
import base64
import threading
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from bot.errors import StorageError, UnreadableError
from bot.teaching import MAX_OPENING_CHARS, MAX_TITLE_CHARS, Draft, Lesson, Shelf, quotation
from bot.teaching_texts import too_much_text
from knowledge.chunking import Chunk, chunk_document
from knowledge.documents import BlockKind, ParsedDocument, SourceFile
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source, text_id, title_from_path
from knowledge.reading import FileReader
from knowledge.sentences import split_sentences
from knowledge.taught_copies import Copy, TaughtCopies

PREFIX = "upload:"
MAX_CONTENT_CHARS = 6_000_000  # of a packed draft; what waits for a decision is held in memory by Redis
_LOOKED_AT = 20  # blocks among which the first sentences are looked for


@dataclass(frozen=True, slots=True)
class _Spec:
    """What stands beside a source; `at` in seconds since 1970."""

    person: str = ""
    conversation: str = ""
    at: float = 0.0


_DOCUMENT = TypeAdapter(ParsedDocument)
_SPEC = TypeAdapter(_Spec)


class FileTeacher:
    """Teaches files to one index. Implements `bot.teaching.Teacher`.

    Args:
        index: Where they are published.
        reader: Reads them.
        copies: Where a copy of each is kept.
        max_bytes: Of a file.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        index: KnowledgeIndex,
        reader: FileReader,
        copies: TaughtCopies,
        *,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._index = index
        self._reader = reader
        self._copies = copies
        self._max_bytes = max_bytes
        self._clock = clock
        self._writing = asyncio.Lock()  # within this process; `index.writing` is among processes

    @property
    def max_bytes(self) -> int:
        """Size of the largest file that is read."""
        return self._max_bytes

    async def read(self, data: bytes, name: str) -> Draft:
        """Return what a file holds; see `bot.teaching.Teacher`."""
        if len(data) > self._max_bytes:
            raise UnreadableError(f"{name} is larger than {self._max_bytes / (1 << 20):.4g} MiB.")
        document = await self._reader.read(data, name)
        return await asyncio.to_thread(self._draft, document, name)

    def _draft(self, document: ParsedDocument, name: str) -> Draft:
        # A link of the file's own making would stand below answers as if somebody had looked at it. Where the file was
        # shared, the chat's adapter says.
        document = replace(document, url=None, metadata={})
        title = document.title or title_from_path(name)
        chunks = [chunk for chunk in chunk_document(document, title, self._index.embedder) if text_id("", chunk.text)]
        if not chunks:
            raise UnreadableError(f"{name} holds no text.")
        content = _packed(document)
        if len(content) > MAX_CONTENT_CHARS:
            raise UnreadableError(too_much_text(name, self._reader.limits.chars))
        chars = sum(len(block.text) for block in document.blocks)
        shown = quotation(title, MAX_TITLE_CHARS) or name
        return Draft(name, shown, len(chunks), quotation(_opening(document, chunks), MAX_OPENING_CHARS), chars, content)

    async def teach(
        self, shelf: Shelf, draft: Draft, *, person_id: str, conversation_id: str
    ) -> AsyncGenerator[int | Lesson]:
        """Put a draft on a shelf; see `bot.teaching.Teacher`."""
        at = self._clock()
        lesson = Lesson(shelf, draft.name, draft.title, draft.passages, person_id, conversation_id, at)
        async with aclosing(self._teach(Copy(lesson, draft))) as steps:
            async for step in steps:
                yield step

    async def restore(self) -> AsyncGenerator[Lesson]:
        """Teach again what was taught and is missing in the index, and yield each; raises as `teach`."""
        known = {(one.shelf.channel_id, one.name) for one in await self.lessons()}
        for copy in await asyncio.to_thread(lambda: list(self._copies.all())):
            if (copy.lesson.shelf.channel_id, copy.lesson.name) not in known:
                async with aclosing(self._teach(copy)) as steps:
                    async for step in steps:
                        if isinstance(step, Lesson):
                            yield step

    async def _teach(self, copy: Copy) -> AsyncGenerator[int | Lesson]:
        async with self._writing:
            steps = _Steps(asyncio.get_running_loop())
            work = asyncio.create_task(asyncio.to_thread(self._publish, copy, steps), name="teaching")
            work.add_done_callback(lambda _: steps.counts.put_nowait(None))
            try:
                while (count := await steps.counts.get()) is not None:
                    yield count
                await work
            finally:
                # A thread cannot be cancelled: it is told, and waited for, so that nothing is published afterwards.
                steps.stopped.set()
                await _ended(work)
        yield copy.lesson

    def _publish(self, copy: Copy, steps: _Steps) -> None:
        lesson, document = copy.lesson, _unpacked(copy.draft.content)
        spec = _Spec(lesson.person_id, lesson.conversation_id, lesson.taught_at)

        def parse(_data: bytes, _name: str) -> ParsedDocument:
            return document

        report = sync_source(
            self._index,
            _Upload(
                _source(lesson.shelf, lesson.name), lesson.name, _DOCUMENT.dump_json(document), copy.draft.url or None
            ),
            scope=lesson.shelf.scope,
            spec=_SPEC.dump_json(spec).decode(),
            parse=parse,
            progress=steps,
        )
        if report.problems:
            raise UnreadableError(report.problems[0])
        # Last: what somebody stopped must not come back when the index is made anew.
        self._copies.save(copy)

    async def lessons(self, shelf: Shelf | None = None) -> Sequence[Lesson]:
        """Return the files on a shelf; see `bot.teaching.Teacher`."""
        prefix = PREFIX if shelf is None else _source(shelf, "")
        scope = None if shelf is None else shelf.scope
        rows = await asyncio.to_thread(self._index.catalogue.documents_of, prefix, scope)
        return [_lesson(*row) for row in rows]

    async def withdraw(self, shelf: Shelf, name: str) -> bool:
        """Take a file from a shelf; see `bot.teaching.Teacher`."""
        async with self._writing:
            work = asyncio.create_task(asyncio.to_thread(self._withdraw, shelf, name), name="withdrawing")
            try:
                return await asyncio.shield(work)
            finally:
                await _ended(work)

    def _withdraw(self, shelf: Shelf, name: str) -> bool:
        source = _source(shelf, name)
        with self._index.writing():
            self._copies.remove(shelf, name)
            known = self._index.catalogue.digests(shelf.scope, source)
            if not known:
                return False
            self._index.publish(
                scope=shelf.scope, name=source, spec="", changed=(), removed=sorted(known), close_source=True
            )
        return True


class _StoppedError(Exception):
    """The work was given up before anything was published."""


class _Steps:
    """Passes an ingest's progress from its thread to the event loop, and ends it when it is told to."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stored = 0
        self.counts: asyncio.Queue[int | None] = asyncio.Queue()
        self.stopped = threading.Event()

    def found(self, files: int, size_bytes: int) -> None:
        """Nobody else writes now, and the work begins."""
        self._tell()

    def read(self, source: str, size_bytes: int) -> None:
        """It is there already."""
        self._go_on()

    def embedded(self, chunks: int) -> None:
        """So many more chunks are stored."""
        self._go_on()
        self._stored += chunks
        self._tell()

    def publishing(self) -> None:
        """The last moment to give up."""
        self._go_on()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.counts.put_nowait, self._stored)

    def _go_on(self) -> None:
        if self.stopped.is_set():
            raise _StoppedError


@dataclass(frozen=True, slots=True)
class _Upload:
    """A source of one document that was read before."""

    name: str
    file: str
    data: bytes
    url: str | None

    def files(self) -> Iterator[SourceFile]:
        yield SourceFile(self.file, len(self.data), lambda: self.data, self.url)


async def _ended(work: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    """Wait until a thread has ended, whatever it raises."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work])
    if not work.cancelled():
        work.exception()


def _source(shelf: Shelf, name: str) -> str:
    return f"{PREFIX}{shelf.channel_id}/{name}"


def _lesson(scope: str, source: str, spec: str, title: str, passages: int) -> Lesson:
    channel_id, _, name = source.removeprefix(PREFIX).partition("/")
    try:
        about = _SPEC.validate_json(spec)
    except ValidationError:
        about = _Spec()
    shown = quotation(title, MAX_TITLE_CHARS) or name
    return Lesson(Shelf(channel_id, scope), name, shown, passages, about.person, about.conversation, about.at)


def _opening(document: ParsedDocument, chunks: Sequence[Chunk]) -> str:
    """Return the first sentences of running text; where there is none, of whatever there is."""
    for block in document.blocks[:_LOOKED_AT]:
        if block.kind is BlockKind.PARAGRAPH and any(char.isalnum() for char in block.text):
            return " ".join(split_sentences(block.text[: 4 * MAX_OPENING_CHARS])[:2])
    return chunks[0].text


def _packed(document: ParsedDocument) -> str:
    return base64.b64encode(zlib.compress(_DOCUMENT.dump_json(document), 6)).decode()


def _unpacked(content: str) -> ParsedDocument:
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(content, validate=True), 1 << 26)
        return _DOCUMENT.validate_json(data)
    except (ValueError, zlib.error, ValidationError) as error:
        raise StorageError("A file that waited for a decision is damaged: send it again.") from error
