"""What the documents lack: kept, grouped by what is asked, and shown."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from bot.cli.feedback import gap_json, print_gaps
from bot.gaps import ALL_SCOPES, FloatArray, Gap, GapReport, OpenQuestion, find_gaps, group, group_questions
from bot.messages import Audience
from bot.store.client import Store, texts
from bot.store.feedback import Feedback
from bot.store.gaps import Unanswered
from bot.store.person_index import PersonIndex
from knowledge.embeddings import MiniLmEmbedder
from tests.opinions import PLACE, AnsweredFeedback, FakeClock, answer, given, request

SAME = (
    "How do I cite the GeneNetwork database in a paper?",
    "What is the citation for the GeneNetwork database in papers?",
    "how to cite the genenetwork database in my paper",
)
OTHER = ("Which tissue was used for the proteome of old mice?", "Can I log in with my university account?")


class WordEmbeds:
    """Vectors by first word: equal words point the same way, different ones nowhere near."""

    def embed_query(self, text: str) -> FloatArray:
        """Return a vector that the first word alone decides."""
        seed = int.from_bytes(hashlib.sha256(text.split()[0].encode()).digest()[:4], "big")
        vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
        result: FloatArray = vector / np.linalg.norm(vector)
        return result


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def unanswered(store: Store, clock: FakeClock) -> Unanswered:
    """No questions yet."""
    return Unanswered(store, days=90, clock=clock)


@pytest.fixture
def feedback(store: Store, clock: FakeClock) -> Feedback:
    """No opinions yet."""
    return AnsweredFeedback(store, days=90, limit=1000, clock=clock)


async def ask(
    store: Store, unanswered: Unanswered, number: int, question: str, scopes: tuple[str, ...] = ("public",)
) -> str:
    """Keep a question that was not answered, as finishing its request does; return its reference."""
    asked = request(str(number), question)
    await store.transaction(*await unanswered.keep(asked, answer(question, answered=False), scopes))
    return asked.request_id


async def test_a_refused_question_is_kept_without_its_person(store: Store, unanswered: Unanswered) -> None:
    """Question, closest documents, confidence and place are kept; neither name nor account."""
    reference = await ask(store, unanswered, 1, "Is there a 10x set?")

    (kept,) = await unanswered.list()
    assert ("Is there a 10x set?", reference, 0.5, "test") == (
        kept.question,
        kept.request_id,
        kept.confidence,
        kept.chat,
    )
    assert ["BXD strains"] == [document.title for document in kept.closest]
    record = str(await store.call("GET", store.key("gap", reference)))
    person = request("1").message.sender
    assert not any(secret in record for secret in ("Ada", person.person_id, '"U1"'))


async def test_an_answered_question_is_no_gap(unanswered: Unanswered) -> None:
    """There is nothing to keep."""
    assert [] == await unanswered.keep(request("1"), answer(), ("public",))


async def test_a_person_can_have_their_question_deleted(store: Store, unanswered: Unanswered) -> None:
    """The person's index names it, and forgetting leaves nothing of it."""
    reference = await ask(store, unanswered, 1, "Is there a 10x set?")
    person = request("1").message.sender.person_id
    handles = await PersonIndex(store, days=90).handles(person, "gap")
    await store.transaction(*unanswered.forget(reference))

    assert [reference] == handles
    assert [] == await unanswered.list()
    assert [] == [key for key in texts(await store.call("KEYS", store.key("*"))) if ":person:" not in key]


async def test_the_oldest_go_beyond_the_limit(store: Store, clock: FakeClock) -> None:
    """The number of questions is bounded, and each has a lifetime."""
    unanswered = Unanswered(store, days=90, limit=3, clock=clock)
    for number in range(1, 6):
        clock.now += 1
        await ask(store, unanswered, number, f"Question {number}?")

    assert ["Question 5?", "Question 4?", "Question 3?"] == [one.question for one in await unanswered.list()]
    keys = texts(await store.call("KEYS", store.key("gap*")))
    assert 4 == len(keys)
    lifetimes = await store.batch(*(("PTTL", key) for key in keys))
    assert all(isinstance(lifetime, int) and lifetime > 0 for lifetime in lifetimes)
    assert ["Question 5?"] == [one.question for one in await unanswered.list(since=clock.now)]


async def test_reworded_questions_form_one_group(
    store: Store, unanswered: Unanswered, feedback: Feedback, clock: FakeClock, embedder: MiniLmEmbedder
) -> None:
    """The real embedding model brings rewordings together and keeps others apart; the largest is first."""
    for number, question in enumerate((OTHER[0], *SAME, OTHER[1]), start=1):
        clock.now += 1
        await ask(store, unanswered, number, question)
    gaps = (await find_gaps(unanswered, feedback, embedder)).gaps

    assert [3, 1, 1] == [len(gap.questions) for gap in gaps]
    assert set(SAME) == {one.question for one in gaps[0].questions}
    assert gaps[0].question in SAME
    assert OTHER[1] == gaps[1].question


async def test_badly_rated_answers_are_gaps_too(store: Store, unanswered: Unanswered, feedback: Feedback) -> None:
    """Thumbs down count, thumbs up do not, and a refusal that was judged is one question, not two."""
    reference = await ask(store, unanswered, 1, "Alpha one?")
    for person in ("a", "b"):
        await feedback.vote(given("h2", "Beta two?"), person, "down")
    await feedback.vote(given("h3", "Gamma three?"), "a", "up")
    refusal = answer("Alpha one?", answered=False)
    await feedback.vote(replace(given("h4", "Alpha one?"), request_id=reference, answer=refusal), "a", "down")
    gaps = (await find_gaps(unanswered, feedback, WordEmbeds())).gaps

    assert {("Alpha one?", 1, 1), ("Beta two?", 1, 2)} == {
        (gap.question, len(gap.questions), gap.down_votes) for gap in gaps
    }


async def test_private_questions_are_shown_only_for_their_scope(
    store: Store, unanswered: Unanswered, feedback: Feedback
) -> None:
    """A question that searched a private scope is left out, unless all its private scopes were named."""
    await ask(store, unanswered, 1, "Public one?")
    await ask(store, unanswered, 2, "Secret two?", ("public", "lab-a"))
    await ask(store, unanswered, 3, "Both three?", ("lab-a", "lab-b"))
    await feedback.vote(given("h4", "Judged four?", scopes=("lab-a",)), "a", "down")

    async def shown(*scopes: str) -> set[str]:
        report = await find_gaps(unanswered, feedback, WordEmbeds(), scopes=scopes)
        return {gap.question for gap in report.gaps}

    assert ("lab-a", "lab-b") == (await find_gaps(unanswered, feedback, WordEmbeds())).left_out
    assert {"Public one?"} == await shown()
    assert {"Public one?", "Secret two?", "Judged four?"} == await shown("lab-a")
    assert {"Public one?"} == await shown("lab-b")
    assert 4 == len(await shown("lab-a", "lab-b")) == len(await shown(ALL_SCOPES))


async def test_questions_of_public_places_need_no_scope(
    store: Store, unanswered: Unanswered, feedback: Feedback
) -> None:
    """What was asked where all of the workspace can read is shown, though the channel has documents of its own."""
    place = replace(PLACE, audience=Audience.PUBLIC)
    asked = request("1", "Alpha one?")
    asked = replace(asked, message=replace(asked.message, place=place))
    refused = answer("Alpha one?", answered=False)
    await store.transaction(*await unanswered.keep(asked, refused, ("public", "channel-x")))
    await feedback.vote(given("h2", "Beta two?", scopes=("public", "channel-x"), place=place), "a", "down")
    report = await find_gaps(unanswered, feedback, WordEmbeds())

    assert {"Alpha one?", "Beta two?"} == {gap.question for gap in report.gaps}
    assert () == report.left_out


def test_the_same_words_count_each_time() -> None:
    """A question asked again in the same words, but for case and spaces, is in the same group and counts."""
    asked = [open_question(number, text) for number, text in enumerate(("What is X?", "what  is x?", "WHAT IS X?"))]
    (gap,) = group_questions(asked, WordEmbeds())

    assert 3 == len(gap.questions)


def test_nothing_asked_is_no_gap() -> None:
    """No questions make no groups."""
    assert [] == group_questions([], WordEmbeds())


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_those_of_average_linkage(seed: int) -> None:
    """The chain of nearest neighbours finds what joining the best pair again and again finds."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(40, 4))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    sizes = [int(size) for size in random.integers(1, 4, size=40)]

    expected = {frozenset(members) for members in slow_groups(vectors, sizes, 0.65)}
    assert expected == {frozenset(members) for members in group(vectors.copy(), sizes, 0.65)}


def slow_groups(vectors: FloatArray, sizes: list[int], threshold: float) -> list[list[int]]:
    """Average linkage by its definition."""
    groups = [[index] for index in range(len(vectors))]

    def mean(one: list[int], other: list[int]) -> float:
        first = sum(vectors[index] * sizes[index] for index in one) / sum(sizes[index] for index in one)
        second = sum(vectors[index] * sizes[index] for index in other) / sum(sizes[index] for index in other)
        return float(np.dot(first, second))

    while True:
        pairs = [(mean(one, other), a, b) for a, one in enumerate(groups) for b, other in enumerate(groups[:a])]
        best, a, b = max(pairs, default=(-1.0, 0, 0))
        if best < threshold:
            return groups
        groups[b] += groups.pop(a)


def test_five_thousand_questions_group_in_time() -> None:
    """Grouping the most questions that are looked at takes less than 5 seconds."""
    random = np.random.default_rng(1)
    topics = random.normal(size=(1500, 384))
    vectors = topics[random.integers(0, 1500, 5000)] + 0.6 * random.normal(size=(5000, 384))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    begun = time.perf_counter()
    groups = group(vectors, [1] * 5000, 0.65)

    assert time.perf_counter() - begun < 5
    assert 1400 < len(groups) < 1700


def test_gaps_are_printed_without_controls() -> None:
    """What people wrote cannot write to the operator's terminal; JSON holds every question of the group."""
    asked = (open_question(1, "What is \x1b[2J X?"), open_question(2, "What is [bold]x[/bold]?"))
    gap = Gap(asked[0].question, asked, ())
    out = io.StringIO()
    print_gaps(Console(file=out, width=60), GapReport((gap, gap), ("channel-x",)), 1)

    assert "\x1b" not in out.getvalue()
    assert "also: What is [bold]x[/bold]?" in out.getvalue()
    assert "asked 2 times" in out.getvalue()
    assert "1 more; --limit shows them." in out.getvalue()
    assert "--scope all` shows them: channel-x" in out.getvalue()
    shown = gap_json(gap)
    assert (2, 0) == (shown["count"], shown["down_votes"])


def open_question(number: int, text: str) -> OpenQuestion:
    """A question of a given wording."""
    return OpenQuestion(f"r{number}", text, 1_750_000_000.0 + number, unanswered=True, down_votes=0, closest=())
