"""What the documents lack: unanswered and badly rated questions, grouped by what they ask.

Questions whose embeddings are alike form a group (average linkage over the cosine: two groups are joined while the mean
similarity of their questions is at least `SAME_QUESTION`). The threshold was chosen on the project's development
questions: of all 3,160 pairs of different ones none reaches 0.58, while ten of them, asked again in other words, stand
at 0.72 to 0.98 beside their original; 0.65 lies in the middle.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bot.evidence import Citation
from bot.messages import Audience
from bot.ports import PUBLIC_SCOPE, Embeds
from bot.store.feedback import Feedback
from bot.store.gaps import Unanswered

FloatArray = npt.NDArray[np.float32]

ALL_SCOPES = "all"  # no scope has this name
SAME_QUESTION = 0.65
MAX_QUESTIONS = 5000  # the newest; 100 MB of similarities
DOCUMENTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question without a good answer.

    Attributes:
        reference: The request that asked it.
        question: As asked.
        at: Seconds since 1970, UTC.
        unanswered: True when the answer was that the documents do not say.
        down_votes: How many people judged its answer bad.
        closest: Documents that were cited or are nearest.
        scopes: What was searched for it.
        confidence: As in `Evidence`, or None where that is not known.
    """

    reference: str
    question: str
    at: float
    unanswered: bool
    down_votes: int
    closest: tuple[Citation, ...]
    scopes: tuple[str, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions that ask about the same.

    Attributes:
        question: The one nearest to all others.
        questions: All of them, newest first.
        closest: The documents nearest to most of them.
    """

    question: str
    questions: tuple[OpenQuestion, ...]
    closest: tuple[Citation, ...]

    @property
    def down_votes(self) -> int:
        """Of all its questions."""
        return sum(question.down_votes for question in self.questions)

    @property
    def newest_at(self) -> float:
        """When it was last asked."""
        return self.questions[0].at


@dataclass(frozen=True, slots=True)
class GapReport:
    """What the documents lack.

    Attributes:
        gaps: Those with the most questions first, among equals the one asked last.
        left_out: Private scopes whose questions are not among them.
        questions_left_out: How many questions those are.
    """

    gaps: tuple[Gap, ...]
    left_out: tuple[str, ...]
    questions_left_out: int = 0


@dataclass(frozen=True, slots=True)
class OpenQuestions:
    """Questions without a good answer, each request once.

    Attributes:
        questions: The newest first, `MAX_QUESTIONS` at most.
        left_out: As of `GapReport`.
        questions_left_out: As of `GapReport`.
    """

    questions: tuple[OpenQuestion, ...]
    left_out: tuple[str, ...]
    questions_left_out: int


async def find_gaps(
    unanswered: Unanswered,
    feedback: Feedback,
    embeds: Embeds,
    *,
    since: float | None = None,
    scopes: Sequence[str] = (),
) -> GapReport:
    """Return the gaps.

    Args:
        unanswered: Where questions without an answer are kept.
        feedback: Where opinions are kept; the down-votes count.
        embeds: The embedding model.
        since: Seconds since 1970; older questions are left out.
        scopes: Private scopes whose questions are shown beside the public ones, or `ALL_SCOPES`.
    """
    found = await open_questions(unanswered, feedback, since=since, scopes=scopes)
    gaps = await asyncio.to_thread(group_questions, found.questions, embeds)
    return GapReport(tuple(gaps), found.left_out, found.questions_left_out)


async def open_questions(
    unanswered: Unanswered, feedback: Feedback, *, since: float | None = None, scopes: Sequence[str] = ()
) -> OpenQuestions:
    """Return the questions without a good answer; arguments as of `find_gaps`."""
    filtered = _Filter(scopes)
    questions = await _questions(unanswered, feedback, since, filtered)
    return OpenQuestions(tuple(questions), tuple(sorted(filtered.left_out)), len(filtered.requests))


class _Filter:
    """Lets questions pass that were asked where all can read, or in scopes that were named; notes the others'."""

    def __init__(self, scopes: Sequence[str]) -> None:
        self._named = {PUBLIC_SCOPE, *scopes}
        self.left_out: set[str] = set()
        self.requests: set[str] = set()

    def passes(self, request_id: str, scopes: Sequence[str], audience: Audience) -> bool:
        if audience.width >= Audience.PUBLIC.width or ALL_SCOPES in self._named or self._named.issuperset(scopes):
            return True
        self.left_out.update(set(scopes) - self._named)
        self.requests.add(request_id)
        return False


async def _questions(
    unanswered: Unanswered, feedback: Feedback, since: float | None, filtered: _Filter
) -> list[OpenQuestion]:
    """Return the newest questions, each request once."""
    found = {
        one.request_id: OpenQuestion(
            one.request_id, one.question, one.at, True, 0, one.closest, one.scopes, one.confidence
        )
        for one in await unanswered.list(since)
        if filtered.passes(one.request_id, one.scopes, one.audience)
    }
    judged = 0
    async with aclosing(feedback.each(vote="down", since=since)) as opinions:
        async for opinion in opinions:
            if not filtered.passes(opinion.request_id, opinion.scopes, opinion.audience):
                continue
            known = found.get(opinion.request_id)
            if known is None:
                judged += 1
                if judged > MAX_QUESTIONS:
                    break
                known = OpenQuestion(
                    opinion.request_id,
                    opinion.question,
                    opinion.at,
                    not opinion.answered,
                    0,
                    opinion.citations,
                    opinion.scopes,
                )
            found[opinion.request_id] = replace(known, down_votes=known.down_votes + 1)
    return sorted(found.values(), key=lambda one: one.at, reverse=True)[:MAX_QUESTIONS]


def group_questions(questions: Sequence[OpenQuestion], embeds: Embeds) -> list[Gap]:
    """Return the gaps in the order of `GapReport`; questions newest first. Blocks while it embeds."""
    same: dict[str, list[OpenQuestion]] = {}
    for question in questions:
        same.setdefault(" ".join(question.question.casefold().split()), []).append(question)
    if not same:
        return []
    wordings = list(same.values())
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="embed") as pool:
        vectors = np.stack(list(pool.map(embeds.embed_query, (asked[0].question for asked in wordings))))
    sizes = [len(asked) for asked in wordings]
    gaps: list[Gap] = []
    for members in group(vectors, sizes, SAME_QUESTION):
        mean = sum(vectors[member] * sizes[member] for member in members)
        nearest = max(members, key=lambda member: float(vectors[member] @ mean))
        asked = sorted((one for member in members for one in wordings[member]), key=lambda one: one.at, reverse=True)
        gaps.append(Gap(wordings[nearest][0].question, tuple(asked), closest_of(asked)))
    return sorted(gaps, key=lambda gap: (len(gap.questions), gap.newest_at), reverse=True)


def group(vectors: FloatArray, sizes: Sequence[int], threshold: float) -> list[list[int]]:
    """Return groups of indices by average linkage over the cosine.

    Along a chain of nearest neighbours each step is more similar, so it ends in two that are nearest to each other;
    average linkage may join them at once. That makes n merges of O(n) each.

    Args:
        vectors: Unit vectors `(n, dim)`.
        sizes: How many questions each stands for.
        threshold: Groups are joined while their mean similarity is at least this.
    """
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    weight = np.array(sizes, dtype=np.float32)
    groups: dict[int, list[int]] = {index: [index] for index in range(len(vectors))}
    chain: list[int] = []
    waiting = list(reversed(range(len(vectors))))
    while chain or waiting:
        if not chain:
            start = waiting.pop()
            if start not in groups:
                continue
            chain.append(start)
        last = chain[-1]
        row = similar[last]
        nearest = int(row.argmax())
        before = chain[-2] if len(chain) > 1 else None
        if before is not None and row[before] >= row[nearest]:
            nearest = before  # among equals the way back, or the chain could run in a circle
        if row[nearest] < threshold:
            # It was on the chain alone: whatever the others become, none will be nearer to it.
            chain.clear()
        elif nearest == before:
            del chain[-2:]
            total = weight[last] + weight[nearest]
            joined = (weight[last] * row + weight[nearest] * similar[nearest]) / total
            weight[last] = total
            similar[last, :] = joined
            similar[:, last] = joined
            similar[nearest, :] = -np.inf
            similar[:, nearest] = -np.inf
            groups[last] += groups.pop(nearest)
            waiting.append(last)
        else:
            chain.append(nearest)
    return list(groups.values())


def closest_of(questions: Sequence[OpenQuestion]) -> tuple[Citation, ...]:
    """Return the documents that are near to most questions, each once."""
    documents: dict[str, Citation] = {}
    counts: Counter[str] = Counter()
    for question in questions:
        for source in {citation.source: citation for citation in question.closest}.values():
            documents.setdefault(source.source, source)
            counts[source.source] += 1
    return tuple(documents[source] for source, _ in counts.most_common(DOCUMENTS_SHOWN))
