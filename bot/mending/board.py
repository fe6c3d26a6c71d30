"""The gaps as the data steward sees them: groups of questions, and what became of each.

Grouping embeds every wording, in a thread, and is done again only when the questions have changed. What is kept between
two looks are vectors and handles, not what anybody asked: who is forgotten is gone from here at the next look.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.gaps import ALL_SCOPES, FloatArray, Gap, OpenQuestion, closest_of, group_questions, open_questions
from bot.mending.suggesting import Suggestion, suggest
from bot.ports import PUBLIC_SCOPE, Embeds
from bot.store.feedback import Feedback
from bot.store.gap_states import Aside, Finding, GapStates, Looked
from bot.store.gaps import Unanswered


class GapState(StrEnum):
    """What became of a gap."""

    OPEN = "open"
    ANSWERED = "answered"  # all its questions by now
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question of a gap with what the documents say to it by now.

    Attributes:
        question: Which.
        finding: The new answer, or None.
        private: True where that rests on documents of a channel that is not shown here: then it is not told.
    """

    question: OpenQuestion
    finding: Finding | None
    private: bool


@dataclass(frozen=True, slots=True)
class GapEntry:
    """A gap on the board.

    Attributes:
        gap: The questions.
        state: What became of it.
        questions: The same with their answers, newest first.
        aside: The steward's decision, where it was put aside.
        suggestion: What could be written.
    """

    gap: Gap
    state: GapState
    questions: tuple[AnsweredQuestion, ...]
    aside: Aside | None
    suggestion: Suggestion

    @property
    def reference(self) -> str:
        """By which its page is found; every question of the gap leads there."""
        return self.gap.questions[0].reference

    @property
    def references(self) -> tuple[str, ...]:
        """Of all its questions."""
        return tuple(one.reference for one in self.gap.questions)

    @property
    def answered(self) -> int:
        """How many of its questions are answered by now."""
        return sum(one.finding is not None for one in self.questions)

    @property
    def oldest_at(self) -> float:
        """When it was first asked."""
        return self.gap.questions[-1].at


@dataclass(frozen=True, slots=True)
class Board:
    """All gaps.

    Attributes:
        entries: Those with the most questions first.
        left_out: How many questions of private places are not among them.
        looked: When all open questions were asked again last, or None.
    """

    entries: tuple[GapEntry, ...]
    left_out: int
    looked: Looked | None

    def of(self, state: GapState) -> list[GapEntry]:
        """Return the entries of a state."""
        return [one for one in self.entries if one.state is state]

    def find(self, reference: str) -> GapEntry | None:
        """Return the entry that holds a question, or None."""
        return next((one for one in self.entries if reference in one.references), None)


class GapBoard:
    """Reads the board.

    Args:
        unanswered: Questions that the documents did not answer.
        feedback: Opinions on answers.
        states: What became of questions.
        embeds: The embedding model.
        scopes: Private scopes whose questions are shown, see `bot.gaps.find_gaps`.
    """

    def __init__(
        self,
        unanswered: Unanswered,
        feedback: Feedback,
        states: GapStates,
        embeds: Embeds,
        *,
        scopes: Sequence[str] = (),
    ) -> None:
        self._unanswered = unanswered
        self._feedback = feedback
        self._states = states
        self._vectors = _Remembering(embeds)
        self._scopes = tuple(scopes)
        self._fingerprint = ""
        self._groups: tuple[tuple[str, tuple[str, ...]], ...] = ()  # the nearest question, and all
        self._reading = asyncio.Lock()

    async def read(self) -> Board:
        """Return the board as it is now.

        Raises:
            UnavailableError: If Redis is away.
        """
        async with self._reading:
            found = await open_questions(self._unanswered, self._feedback, scopes=self._scopes)
            gaps = await self._grouped(found.questions)
        findings = await self._states.findings()
        asides = {reference: one for one in reversed(await self._states.asides()) for reference in one.references}
        entries = tuple(self._entry(gap, findings, asides) for gap in gaps)
        return Board(entries, found.questions_left_out, await self._states.looked())

    async def _grouped(self, questions: Sequence[OpenQuestion]) -> list[Gap]:
        asked = {one.reference: one for one in questions}
        fingerprint = hashlib.sha256(
            "\n".join(f"{one.reference} {one.at} {one.question}" for one in questions).encode("utf-8", "replace")
        ).hexdigest()
        if fingerprint == self._fingerprint:
            gaps = []
            for nearest, references in self._groups:
                members = tuple(asked[reference] for reference in references)
                gaps.append(Gap(asked[nearest].question, members, closest_of(members)))
            return gaps
        gaps = await asyncio.to_thread(group_questions, questions, self._vectors)
        self._vectors.keep(one.question for one in questions)
        self._groups = tuple(
            (
                next(one.reference for one in gap.questions if one.question == gap.question),
                tuple(one.reference for one in gap.questions),
            )
            for gap in gaps
        )
        self._fingerprint = fingerprint
        return gaps

    def _entry(self, gap: Gap, findings: Mapping[str, Finding], asides: Mapping[str, Aside]) -> GapEntry:
        questions = tuple(self._answered(one, findings.get(one.reference)) for one in gap.questions)
        aside = next((asides[one.reference] for one in gap.questions if one.reference in asides), None)
        state = GapState.OPEN
        if aside is not None:
            state = GapState.ASIDE
        elif all(one.finding is not None for one in questions):
            state = GapState.ANSWERED
        return GapEntry(gap, state, questions, aside, suggest(gap))

    def _answered(self, question: OpenQuestion, finding: Finding | None) -> AnsweredQuestion:
        if finding is None or not finding.answered:
            return AnsweredQuestion(question, None, private=False)
        shown = {PUBLIC_SCOPE, *self._scopes}
        private = ALL_SCOPES not in shown and not set(finding.rests_on) <= shown
        return AnsweredQuestion(question, finding, private)


class _Remembering:
    """An embedding model that knows the vectors of the texts it was asked for last, by digests of these."""

    def __init__(self, embeds: Embeds) -> None:
        self._embeds = embeds
        self._known: dict[bytes, FloatArray] = {}

    def embed_query(self, text: str) -> FloatArray:
        """Return a unit vector; called from several threads."""
        key = _digest(text)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._embeds.embed_query(text)
        return known

    def keep(self, texts: Iterable[str]) -> None:
        """Forget all but these."""
        wanted = {_digest(text) for text in texts}
        self._known = {key: vector for key, vector in self._known.items() if key in wanted}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
