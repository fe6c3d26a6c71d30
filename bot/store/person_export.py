"""What is stored of one person, as JSON for them."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from bot.requests import Request, State
from bot.store.agreements import Agreements
from bot.store.answer_cache import AnswerCache
from bot.store.client import text
from bot.store.conversations import Conversations
from bot.store.drafts import Drafts
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.person_index import PersonIndex, PersonKind
from bot.store.person_requests import PersonRequests
from bot.store.sent_files import SentFiles
from bot.teaching import TaughtFiles

MAX_EXPORT_CHARS = 8_000_000


class PersonExport:
    """Collects what is stored of a person.

    Answers go with the questions they belong to. The texts of documents, and what other people wrote, are left out.

    Args:
        inbox: Open and given-up questions.
        conversations: What was said.
        cache: Answers kept to be given again.
        given: Answers as given.
        taught: Tells which files people taught, where that is known.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        conversations: Conversations,
        cache: AnswerCache,
        given: GivenAnswers,
        taught: TaughtFiles | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = inbox.store
        self._requests = PersonRequests(inbox)
        self._conversations = conversations
        self._cache = cache
        self._given = given
        self._taught = taught
        self._drafts = Drafts(inbox.store, clock=clock)
        self._sent = SentFiles(inbox.store, clock=clock)
        self._agreements = Agreements(inbox.store, days=1, clock=clock)
        self._clock = clock
        self._index = PersonIndex(inbox.store, days=1, clock=clock)

    async def collect(
        self, person_id: str, *, but: str = "", max_chars: int = MAX_EXPORT_CHARS
    ) -> dict[str, JsonValue]:
        """Return it, newest first; what is beyond `max_chars` is only counted.

        Args:
            person_id: Whose.
            but: The request that asks for it, which is left out.
            max_chars: Size of the JSON text, about.
        """
        budget = _Budget(max_chars)
        waiting = [
            _asked(request)
            async for request in self._requests.known(person_id)
            if request.state in (State.WAITING, State.RUNNING) and request.request_id != but
        ]
        parts: dict[str, JsonValue] = {
            "open_questions": budget.fitting(waiting),
            "given_up_questions": budget.fitting([_asked(one) async for _, one in self._requests.dead(person_id)]),
            "conversations": await self._each(person_id, "conversation", self._conversation, budget),
            "answers": await self._each(person_id, "given", self._given_answer, budget),
            "cached_answers": await self._each(person_id, "cached", self._cached_answer, budget),
            "feedback": await self._each(person_id, "feedback", self._opinion, budget),
            "unanswered_questions": await self._each(person_id, "gap", self._gap, budget),
            "to_be_told": await self._each(person_id, "agreement", self._agreement, budget),
            "files_sent": await self._each(person_id, "sent", self._files, budget),
            "files_waiting": await self._each(person_id, "draft", self._waiting, budget),
            "files_taught": budget.fitting(await self._lessons(person_id)),
        }
        return {"person": person_id, "made_at": _iso(self._clock()), **parts, "left_out": budget.left_out}

    async def _each(
        self,
        person_id: str,
        kind: PersonKind,
        describe: Callable[[str, str], Awaitable[JsonValue]],
        budget: _Budget,
    ) -> list[JsonValue]:
        found: list[JsonValue] = []
        for handle in await self._index.handles(person_id, kind):
            if budget.spent:
                budget.left_out += 1
            elif (described := await describe(person_id, handle)) is not None:
                found += budget.fitting([described])
        return found

    async def _conversation(self, person_id: str, conversation_id: str) -> JsonValue:
        turns = await self._conversations.turns_of(person_id, conversation_id)
        said: list[JsonValue] = [{"role": turn.role, "text": turn.text, "at": _iso(turn.at)} for turn in turns]
        return {"conversation": conversation_id, "turns": said} if said else None

    async def _given_answer(self, person_id: str, handle: str) -> JsonValue:
        given = await self._given.find(handle)
        if given is None or given.person_id != person_id:
            return None
        sources: list[JsonValue] = [{"title": one.title, "url": one.url} for one in given.answer.citations]
        return {
            "reference": given.request_id,
            "question": given.question,
            "answer": given.answer.text,
            "sources": sources,
            "given_at": _iso(given.given_at),
        }

    async def _cached_answer(self, person_id: str, slot: str) -> JsonValue:
        stored = await self._cache.find_of(person_id, slot)
        if stored is None:
            return None
        cached = stored.cached
        return {"question": stored.question, "answer": cached.answer.text, "cached_at": _iso(cached.cached_at)}

    async def _opinion(self, person_id: str, handle: str) -> JsonValue:
        found = await self._json("feedback", handle)
        # Somebody else's opinion on an answer to this person is not this person's.
        return found if isinstance(found, dict) and found.get("person_id") == person_id else None

    async def _gap(self, _person_id: str, handle: str) -> JsonValue:
        return await self._json("gap", handle)

    async def _agreement(self, _person_id: str, handle: str) -> JsonValue:
        agreement = await self._agreements.find(handle)
        if agreement is None:
            return None
        return {"reference": agreement.request_id, "question": agreement.question, "agreed_at": _iso(agreement.at)}

    async def _files(self, person_id: str, conversation_id: str) -> JsonValue:
        files = await self._sent.find(conversation_id, person_id)
        names: list[JsonValue] = [file.name for file in files]
        return {"conversation": conversation_id, "names": names} if names else None

    async def _waiting(self, person_id: str, conversation_id: str) -> JsonValue:
        drafts = await self._drafts.find(conversation_id, person_id)
        names: list[JsonValue] = [draft.name for draft in drafts]
        return {"conversation": conversation_id, "names": names} if names else None

    async def _lessons(self, person_id: str) -> list[JsonValue]:
        lessons = await self._taught.lessons() if self._taught is not None else ()
        return [
            {"channel": one.shelf.channel_id, "name": one.name, "title": one.title, "taught_at": _iso(one.taught_at)}
            for one in lessons
            if one.person_id == person_id
        ]

    async def _json(self, kind: PersonKind, handle: str) -> JsonValue:
        value = text(await self._store.call("GET", self._store.key(kind, handle)))
        try:
            found: JsonValue = json.loads(value) if value else None
        except (ValueError, RecursionError):
            return None
        if isinstance(found, dict):
            found.pop("v", None)
        return found


class _Budget:
    """Characters that an export may still take; `left_out` counts what did not fit."""

    def __init__(self, chars: int) -> None:
        self._left = chars
        self.left_out = 0

    @property
    def spent(self) -> bool:
        return self._left <= 0

    def fitting(self, things: Sequence[JsonValue]) -> list[JsonValue]:
        """Return the first of the things that fit."""
        kept: list[JsonValue] = []
        for thing in things:
            self._left -= len(json.dumps(thing))
            if self._left < 0:
                self.left_out += 1
            else:
                kept.append(thing)
        return kept


def _asked(request: Request) -> JsonValue:
    return {
        "reference": request.request_id,
        "question": request.message.text,
        "asked_at": _iso(request.accepted_at),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
