"""Small stand-ins for tests of the core: a chat in memory, and an application whose answers are held back at will."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from bot.application import Application
from bot.chat import Accepted, ChannelDigest, Reception
from bot.errors import BotError, InvalidRequestError, NotFoundError
from bot.evidence import Answer, Citation, Evidence
from bot.given import GivenAnswer
from bot.messages import Audience, FileReference, IncomingMessage, Place, Sender, Turn
from bot.ports import Asked, IndexFacts
from bot.replies import Reply


@dataclass
class Post:
    """One visible message and all it has shown."""

    key: str
    place: Place
    history: list[Reply] = field(default_factory=list)
    removed: bool = False

    @property
    def now(self) -> Reply:
        """What it shows."""
        return self.history[-1]


class NothingGiven:
    """The part of a reception that is about answers given before: there are none."""

    async def given(self, place: Place, by: Sender, handle: str) -> GivenAnswer | None:
        """Know no handle."""
        return None

    async def again(self, place: Place, by: Sender, handle: str) -> Accepted | None:
        """Ask nothing again."""
        return None

    async def command(self, place: Place, by: Sender, text: str) -> Reply | None:
        """Know no command."""
        return None

    async def digests(self, chat: str) -> Sequence[ChannelDigest]:
        """Know no digest."""
        return ()


class MemoryChat:
    """A chat in memory. Posting twice makes two messages, as on a platform without transaction ids.

    Attributes:
        posts: By id, in order.
        failures: Raised by the next calls, one each; an error in `lost` is raised after the call was done.
        calls: Names of the calls made.
        files: What has been sent, by the id of the file.
        groups: Who is in which group of people.
        described: Messages as this chat describes them when it is asked, by their ids; None for one of another bot.
    """

    def __init__(self, name: str = "memory", *, draft_interval_s: float = 0.0) -> None:
        self.name = name
        self.draft_interval_s = draft_interval_s
        self.posts: dict[str, Post] = {}
        self.failures: list[BotError] = []
        self.lost: list[BotError] = []
        self.calls: list[str] = []
        self.changed = asyncio.Condition()
        self.files: dict[str, bytes] = {}
        self.groups: dict[str, set[str]] = {}
        self.described: dict[str, IncomingMessage | None] = {}

    async def run(self, reception: Reception) -> None:
        """Deliver nothing; tests call the reception themselves."""
        await asyncio.Event().wait()

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        """Show a new message."""
        self._call("post")
        post_id = f"p{len(self.posts) + 1}"
        self.posts[post_id] = Post(key, place, [reply])
        await self._done()
        return post_id

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        """Show something else in a message."""
        self._call("edit")
        post = self.posts.get(post_id)
        if post is None or post.removed:
            raise NotFoundError("The message is gone.")
        if post.now != reply:
            post.history.append(reply)
        await self._done()

    async def remove(self, place: Place, post_id: str) -> None:
        """Delete a message."""
        self._call("remove")
        self.posts[post_id].removed = True
        await self._done()

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        """Return a message by its key."""
        self._call("find")
        return next((name for name, post in self.posts.items() if post.key == key and not post.removed), None)

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        """Return what has been sent."""
        self._call("fetch")
        if file.file_id not in self.files:
            raise NotFoundError(f"The file {file.name} is gone.")
        if len(self.files[file.file_id]) > max_bytes:
            raise InvalidRequestError(f"The file {file.name} is too large.")
        return self.files[file.file_id]

    async def direct(self, user: str) -> Place:
        """Return the direct conversation with anybody whose name does not begin with "nobody"."""
        self._call("direct")
        if user.startswith("nobody"):
            raise NotFoundError("There is no such person.")
        return Place(self.name, "", f"direct-{user}", "", Audience.DIRECT)

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage | None:
        """Return what `described` says of a message, or the message itself."""
        self._call("ascertain")
        return self.described.get(message.message_id, message)

    async def belongs(self, sender: Sender, group: str) -> bool:
        """Return whether somebody is in a group."""
        return sender.user in self.groups.get(group, ())

    def of(self, message: IncomingMessage) -> list[Post]:
        """Return the visible messages that answer a message."""
        return [post for post in self.posts.values() if post.key == message.request_id and not post.removed]

    async def until(self, *messages: IncomingMessage, timeout_s: float = 10.0) -> None:
        """Wait until each message has a final reply."""

        def final() -> bool:
            return all(any(post.now.final for post in self.of(message)) for message in messages)

        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(final)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)

    async def _done(self) -> None:
        async with self.changed:
            self.changed.notify_all()
        if self.lost:
            raise self.lost.pop(0)


class HeldAnswerer:
    """Answers "About: QUESTION [1]" in two pieces; a question that holds "slow" waits in between for `release`.

    Attributes:
        asked: Everything it was asked, in order.
        begun: Set whenever an answer has begun.
        failures: Raised by the next answers, one each, after the first piece.
        text: The answer's text instead, if set.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.failures: list[Exception] = []
        self.text = ""

    async def rewrite(self, asked: Asked) -> Asked:
        """Leave a question as it is."""
        return asked

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield two pieces and the answer; "unknown" in a question is not answered."""
        self.asked.append(asked)
        yield "About: "
        self.begun.set()
        if "slow" in asked.question:
            await self.release.wait()
        if self.failures:
            raise self.failures.pop(0)
        yield asked.question
        known = "unknown" not in asked.question
        citation = Citation(1, "A document", "a.md", "https://example.org/a", "quoted words")
        text = self.text or f"About: {asked.question} [1]"
        yield Answer(asked.question, text, "quotes", known, (citation,), 0.9 if known else 0.1)


class NoRetriever:
    """Finds nothing, quickly; remembers the scopes it was asked for."""

    def __init__(self) -> None:
        self.scopes: list[tuple[str, ...]] = []

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        """Return no passages."""
        self.scopes.append(tuple(scopes))
        return Evidence(question, (), 0.9)


class OneRevision:
    """An index that is always there."""

    def __init__(self) -> None:
        self.number = 1

    async def has_documents(self) -> bool:
        """True."""
        return True

    async def revision(self) -> int:
        """Return `number`."""
        return self.number

    async def facts(self) -> IndexFacts:
        """Return made-up facts."""
        return IndexFacts(self.number, "2026-11-01T09:00:00+00:00", 12)


def held_application(answerer: HeldAnswerer) -> Application:
    """Return a real application around the stand-ins."""
    return Application(NoRetriever(), OneRevision(), answerer, answerer, top_k=3)


def message(
    text: str,
    *,
    number: int = 1,
    user: str = "u1",
    channel: str = "c1",
    thread: str = "",
    audience: Audience = Audience.DIRECT,
    version: str = "",
    fresh: bool = False,
) -> IncomingMessage:
    """Return a message of the chat "memory"; its number is id and order."""
    return IncomingMessage(
        Place("memory", "w1", channel, thread, audience),
        Sender("memory", "w1", user),
        f"m{number}",
        text,
        float(number),
        version,
        fresh,
    )
