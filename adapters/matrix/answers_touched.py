"""What people do with an answer: by a reaction to it, or by a word in its thread."""

from __future__ import annotations

import logging
from typing import Final, Literal

from adapters.matrix import saying
from adapters.matrix.events_values import Meaning, Reacted, Redacted, Written
from adapters.matrix.handing_over import HandOver
from adapters.matrix.parts import Parts
from adapters.matrix.posts import OwnMessage
from adapters.matrix.rendering import MatrixMessage, render, render_sentence
from adapters.matrix.room_book import Voted
from bot.chat import Vote
from bot.errors import UnavailableError
from bot.messages import Place, digest, request_id
from bot.replies import Reply, Stage

logger = logging.getLogger(__name__)

Word = Literal["passages", "again", "good", "bad", "person"]

MOST_PASSAGES: Final = 10
WORDS: Final[tuple[Word, ...]] = ("passages", "again", "good", "bad", "person")
_OF_ANSWERS: Final = frozenset({"passages", "again", "person"})


def is_aside(text: str, *, prefixed: bool, reply: bool) -> bool:
    """True where a message for Locus is no question, but about an answer.

    Args:
        text: Without mention and prefix.
        prefixed: Whether it began with the prefix of commands.
        reply: Whether it stands in a thread.
    """
    word = _word(text)
    if word == "bad" or word == "good":
        return prefixed
    return word in _OF_ANSWERS and (prefixed or reply)


def _word(text: str) -> Word | None:
    """Return what a whole message says; "bad" may be followed by what was wrong."""
    whole = text.strip().lower().rstrip(".!")
    first = whole.partition(" ")[0]
    return next((word for word in WORDS if whole == word or (word == "bad" and first == "bad")), None)


class AnswersTouched:
    """Does what people ask for about answers.

    Args:
        parts: Of the session.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hand_over = HandOver(parts)

    async def react(self, reacted: Reacted) -> None:
        """Do what a reaction asks for; one that may not is left without a word, like any other reaction.

        Raises:
            UnavailableError: If the homeserver or the store is away.
        """
        parts = self._parts
        if not parts.places.answers_in(reacted.room):
            return
        own = await parts.posts.own(reacted.room, reacted.target)
        if own is None:
            if reacted.meaning == "stop":  # below the question
                place = parts.places.place(reacted.room, reacted.target)
                by = parts.places.sender(reacted.room, reacted.user)
                await parts.reception.stop(place, by, request_id=request_id(place, reacted.target))
            return
        root = own.root or reacted.target
        if reacted.meaning in ("up", "down") and own.handle:
            await self._vote(reacted, own, root, reacted.meaning)
            return
        await self._do(reacted.meaning, own, reacted.room, root, reacted.user, reacted.event_id)

    async def withdrawn(self, redacted: Redacted) -> bool:
        """Take back what a reaction said, now that its author deleted it; False where it was none that counted.

        Raises as `react`.
        """
        parts = self._parts
        voted = parts.book.votes.get(redacted.event_id)
        if voted is None:
            return False
        place, by = parts.places.place(voted.room, voted.root), parts.places.sender(voted.room, redacted.by)
        await parts.reception.withdraw(place, by, voted.handle, voted.vote)
        parts.book.votes.pop(redacted.event_id, None)
        return True

    async def _vote(self, reacted: Reacted, own: OwnMessage, root: str, vote: Vote) -> None:
        parts = self._parts
        place, by = parts.places.place(reacted.room, root), parts.places.sender(reacted.room, reacted.user)
        if await parts.reception.vote(place, by, own.handle, vote):
            parts.book.note_vote(reacted.event_id, Voted(reacted.room, own.handle, root, vote))

    async def help(self, written: Written, place: Place) -> bool:
        """Say what can be asked and done; False where another process has to answer."""
        parts = self._parts
        try:
            reply = await parts.reception.command(place, parts.places.sender(written.room, written.user), "help")
        except UnavailableError:
            return False
        said = reply.text if reply is not None else ""
        help_text = f"{said}\n\n{saying.ways(parts.bot.prefix)}".strip()
        self._tell(written.room, written.thread, _formatted(help_text), written.event_id)
        return True

    async def say(self, written: Written, place: Place, text: str) -> None:
        """Do what a word asks for; it is about the newest answer of its thread. Raises as `react`."""
        parts, word = self._parts, _word(text)
        target = written.replies_to or await parts.looking.last_answer(written.room, written.thread)
        own = await parts.posts.own(written.room, target) if target else None
        if own is None or not own.handle:
            self._tell(written.room, written.thread, render_sentence(saying.NO_ANSWER), written.event_id)
        elif word == "person":
            parts.work.begin("passing a question on", self._hand_over.run(written, own.handle, target))
        elif word == "good" or word == "bad":
            comment = text.strip()[len(word) :].strip(" :,")
            by = parts.places.sender(written.room, written.user)
            noted = await parts.reception.vote(place, by, own.handle, "up" if word == "good" else "down", comment)
            sentence = saying.NOTED if noted else saying.GONE
            self._tell(written.room, written.thread, render_sentence(sentence), written.event_id)
        elif word == "passages" or word == "again":
            await self._do(word, own, written.room, written.thread, written.user, written.event_id)

    async def _do(self, meaning: Meaning, own: OwnMessage, room: str, root: str, user: str, event_id: str) -> None:
        parts = self._parts
        place, by = parts.places.place(room, root), parts.places.sender(room, user)
        if meaning == "stop":
            await parts.reception.stop(place, by, request_id=own.key)
        elif not own.handle:
            return
        elif meaning == "again":
            if await parts.reception.again(place, by, own.handle) is None:
                self._tell(room, root, render_sentence(saying.GONE), event_id)
        elif meaning == "passages":
            passages = await parts.reception.passages(place, by, own.handle)
            shown = [
                saying.passage(one.citation.n, one.citation.title, one.heading, one.text)
                for one in passages[:MOST_PASSAGES]
            ]
            citations = tuple(one.citation for one in passages[:MOST_PASSAGES])
            text = "\n\n".join(shown) or saying.NO_PASSAGES
            rendered = render(Reply(Stage.FINAL, text, citations=citations, answered=bool(shown)))
            messages = (rendered.first, *rendered.continuation)
            parts.work.begin("showing passages", self._say_all(room, root, messages, event_id))

    def _tell(self, room: str, root: str, message: MatrixMessage, event_id: str) -> None:
        self._parts.work.begin("saying something", self._say_all(room, root, (message,), event_id))

    async def _say_all(self, room: str, root: str, messages: tuple[MatrixMessage, ...], event_id: str) -> None:
        for number, message in enumerate(messages):
            key = digest("aside", event_id, str(number))
            await self._parts.showing.say(room, root, message, key=key)


def _formatted(text: str) -> MatrixMessage:
    return render(Reply(Stage.FINAL, text, answered=False)).first
