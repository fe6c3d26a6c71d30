"""Many requests in one context, on the real llama.cpp with random models; counted in decodes, never in seconds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.engine.cache import CachedSequence, SequenceCache
from bot.engine.sampler import TokenGrammar
from bot.errors import BusyError, InvalidRequestError, UnavailableError
from bot.generation import Finished, Sampling, Text, Usage, Waiting
from tests.engines import GREEDY, Bench, WatchedContext, job, token_of, write_chain_gguf
from tests.gguf_models import write_random_gguf

ENDLESS = [token_of("x")]  # the chain model below goes on for ever behind it

Make = Callable[..., WatchedContext]


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf", context=8192)


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes "abc" and an end behind ">", and behind "x" one "y" after the other."""
    path = tmp_path_factory.mktemp("model") / "endless.gguf"
    return write_chain_gguf(path, ["x", "y"], end=False)


@pytest.fixture
def make() -> Iterator[Make]:
    """Make contexts that are closed after the test."""
    made: list[WatchedContext] = []

    def make_one(path: Path, **options: int) -> WatchedContext:
        made.append(WatchedContext(path, **options))
        return made[-1]

    yield make_one
    for context in made:
        context.close()


def prompt(*parts: tuple[int, int]) -> list[int]:
    """A prompt of parts, each of so many tokens drawn with a seed: (seed, length)."""
    return [number for seed, length in parts for number in random.Random(seed).choices(range(259, 350), k=length)]


# Requests join and leave


def test_requests_join_and_leave_between_decodes(make: Make, endless_model: Path) -> None:
    """A short request that comes in the middle of a long one runs beside it and ends before it."""
    context = make(endless_model)
    bench = Bench(context)
    context.before = lambda number: bench.submit(job(2, ENDLESS, max_tokens=4)) if number == 10 else None
    bench.submit(job(1, ENDLESS, max_tokens=40))
    bench.run()
    together = [number for number, carried in enumerate(context.rounds) if len(carried) == 2]

    assert [2, 1] == bench.order()
    assert [11, 12, 13, 14] == together
    assert 40 == len(context.rounds)
    assert ("y" * 40, "y" * 4) == (bench.text(1), bench.text(2))


def test_what_one_writes_does_not_depend_on_who_writes_beside_it(make: Make, random_model: Path) -> None:
    """Eight answers at once are the eight answers one after the other."""
    prompts = [prompt((seed, 20)) for seed in range(8)]
    together = Bench(make(random_model))
    together.submit(*(job(number, one) for number, one in enumerate(prompts)))
    together.run()
    alone = []
    for one in prompts:
        bench = Bench(make(random_model, cells=512))
        bench.submit(job(1, one))
        bench.run()
        alone.append(bench.text(1))

    assert alone == [together.text(number) for number in range(8)]
    assert len(set(alone)) == 8


def test_a_long_prompt_holds_up_nobody_for_more_than_a_batch(make: Make, endless_model: Path) -> None:
    """While 6,000 tokens are read, every decode carries the next token of the running answer too."""
    context = make(endless_model, cells=8192, batch=512)
    bench = Bench(context)
    context.before = lambda number: bench.submit(job(2, prompt((1, 6000)), max_tokens=1)) if number == 3 else None
    bench.submit(job(1, ENDLESS, max_tokens=300))
    bench.run()
    reading = [carried for carried in context.rounds if len(carried) == 2]

    assert [2, 1] == bench.order()
    assert 6000 == sum(max(carried.values()) for carried in reading)
    assert {1} == {min(carried.values()) for carried in reading}
    assert max(carried.total() for carried in context.rounds) <= 512
    assert len(reading) >= 12


def test_a_short_prompt_overtakes_a_long_one(make: Make, endless_model: Path) -> None:
    """A question of a few tokens is answered while a long prompt is still being read."""
    context = make(endless_model, cells=8192, batch=256)
    bench = Bench(context)
    context.before = lambda number: (
        bench.submit(job(2, [*prompt((2, 9)), *ENDLESS], max_tokens=1)) if not number else None
    )
    bench.submit(job(1, prompt((1, 5000)), max_tokens=1))
    bench.run()

    assert [2, 1] == bench.order()


# What is computed once


def test_a_common_beginning_is_held_once(make: Make, endless_model: Path) -> None:
    """Eight prompts that come together compute their common 500 tokens once, and the cache holds them once."""
    context = make(endless_model)
    bench = Bench(context)
    bench.submit(*(job(n, [*prompt((0, 500), (n, 29)), *ENDLESS], max_tokens=4) for n in range(1, 9)))
    bench.run()
    cached = sorted(bench.finished(number).usage.cached_tokens for number in range(1, 9))

    assert [0] + [500] * 7 == cached
    assert 500 + 8 * (30 + 3) == sum(carried.total() for carried in context.rounds)
    assert 500 + 8 * (30 + 3) == bench.loop.load.cells_used


def test_shared_tokens_change_no_answer(make: Make, random_model: Path) -> None:
    """An answer on a shared beginning is the answer on the same tokens computed alone."""
    whole = prompt((0, 300), (5, 20))
    alone = Bench(make(random_model, cells=512))
    alone.submit(job(1, whole))
    alone.run()
    shared = Bench(make(random_model))
    shared.submit(job(1, prompt((0, 300), (4, 20))), job(2, whole))
    shared.run()

    assert 300 == shared.finished(2).usage.cached_tokens
    assert alone.text(1) == shared.text(2)


def test_a_conversation_that_comes_back_finds_its_prompt(make: Make, random_model: Path) -> None:
    """The second turn computes only what is new; one that comes back word for word computes its last token."""
    first, second = prompt((1, 200)), prompt((1, 200), (2, 50))
    bench = Bench(make(random_model))
    for number, one in enumerate([first, second, second]):
        bench = Bench(bench.context) if number == 0 else bench
        bench.submit(job(number, one, conversation="c", max_tokens=1))
    bench.run()

    assert [0, 200, 249] == [bench.finished(number).usage.cached_tokens for number in range(3)]
    assert 1 == bench.loop.load.kept


def test_the_least_recently_used_conversation_goes_first(make: Make, random_model: Path) -> None:
    """With room for two conversations, the third takes the place of the one that was silent longest."""
    bench = Bench(make(random_model, cells=512), parallel=1)
    turns = ["a", "b", "a", "c", "a", "b"]  # "c" drives out "b"
    for number, name in enumerate(turns):
        one = job(number, prompt((ord(name), 200)), conversation=name, user="u", max_tokens=2)
        bench.submit(one)
    bench.run()

    assert [0, 0, 199, 0, 199, 0] == [bench.finished(number).usage.cached_tokens for number in range(len(turns))]


def test_a_conversation_never_takes_cells_that_others_still_need(make: Make, endless_model: Path) -> None:
    """Cutting a kept conversation frees nothing that a running request shares with it."""
    context = make(endless_model, cells=512)
    bench = Bench(context)
    whole = prompt((1, 300))
    kept = job(1, [*whole, *ENDLESS], conversation="c", max_tokens=1)
    sharing = job(2, [*whole, *prompt((2, 10)), *ENDLESS], max_tokens=80)
    back = job(3, [*prompt((1, 40), (3, 150)), *ENDLESS], conversation="c", max_tokens=150)
    context.before = lambda number: bench.submit(back) if number == 4 else None
    bench.submit(kept)
    bench.submit(sharing)
    bench.run()

    assert [1, 2, 3] == sorted(bench.order())
    assert [1, 80, 150] == [bench.finished(number).usage.new_tokens for number in (1, 2, 3)]


@pytest.mark.parametrize("parking_bytes", [0, 200_000])
@pytest.mark.parametrize("seed", range(6))
def test_the_cache_never_promises_more_than_it_holds(
    make: Make, random_model: Path, monkeypatch: pytest.MonkeyPatch, seed: int, parking_bytes: int
) -> None:
    """A crowd with common beginnings, returning conversations and cancellations in a small cache: all get an end."""
    generator = random.Random(seed)
    context = make(random_model, cells=768, sequences=12, parking_bytes=parking_bytes)
    bench = Bench(context, parallel=6, queue_length=100)
    jobs = []
    for number in range(40):
        parts = [(part, generator.randint(5, 120)) for part in generator.choices(range(3), k=generator.randint(1, 3))]
        name = generator.choice(["", "a", "b", "c", "d"])
        one = job(number, prompt(*parts), conversation=name, user=name, max_tokens=generator.randint(1, 60))
        jobs.append(one)
    bench.submit(*jobs[:20])
    late, cancelled = jobs[20:], set(generator.sample(range(40), 8))
    opened = SequenceCache.open

    def checked(self: SequenceCache, *arguments: object) -> CachedSequence | None:
        held = opened(self, *arguments)  # type: ignore[arg-type]
        promised = sum(one.reserved for one in self._held)
        assert self.used + promised <= context.cells
        return held

    monkeypatch.setattr(SequenceCache, "open", checked)

    def before(number: int) -> None:
        if late:
            bench.submit(late.pop())
        elif cancelled:
            bench.cancel(cancelled.pop())

    context.before = before
    bench.run()
    ended = {number for number in range(40) if any(isinstance(one, Finished) for one in bench.events(number))}

    assert len(ended) >= 32
    assert bench.loop.load.cells_used <= 768
    assert 0 == bench.loop.load.running


# Who comes next


def test_turns_go_round_over_users(make: Make, endless_model: Path) -> None:
    """Somebody with one question does not wait for all five of somebody else."""
    bench = Bench(make(endless_model), parallel=1)
    bench.submit(*(job(number, ENDLESS, user="many", max_tokens=2) for number in range(5)))
    bench.submit(job(9, ENDLESS, user="one", max_tokens=2))
    bench.run()

    assert [0, 9, 1, 2, 3, 4] == bench.order()


def test_the_place_in_the_queue_is_told_as_it_changes(make: Make, endless_model: Path) -> None:
    """Who waits hears how many are served before, down to none; who runs at once hears nothing."""
    bench = Bench(make(endless_model), parallel=1)
    bench.submit(*(job(number, ENDLESS, max_tokens=2) for number in range(3)))
    bench.run()
    places = [[one.ahead for one in bench.events(number) if isinstance(one, Waiting)] for number in range(3)]

    assert [[], [0], [1, 0]] == places


def test_a_full_queue_refuses_with_a_sentence(make: Make, endless_model: Path) -> None:
    """One runs, two wait, the fourth is told how many wait; the others are served."""
    bench = Bench(make(endless_model), parallel=1, queue_length=2)
    bench.submit(*(job(number, ENDLESS, max_tokens=2) for number in range(4)))
    bench.run()
    (refused,) = bench.events(3)

    assert isinstance(refused, BusyError)
    assert "3 questions wait for the model: try again in a minute." == str(refused)
    assert [3, 0, 1, 2] == bench.order()


def test_requests_that_come_at_once_fill_the_free_places_first(make: Make, endless_model: Path) -> None:
    """A queue of one refuses nobody while four can run."""
    bench = Bench(make(endless_model), parallel=4, queue_length=1)
    bench.submit(*(job(number, ENDLESS, max_tokens=2) for number in range(5)))
    bench.run()

    assert [2] * 5 == [bench.finished(number).usage.new_tokens for number in range(5)]


def test_cancelling_frees_a_request_before_the_next_decode(make: Make, endless_model: Path) -> None:
    """After the decode in which it was cancelled, a request is in no batch, says nothing, and the next one runs."""
    context = make(endless_model)
    bench = Bench(context, parallel=1)
    context.before = lambda number: bench.cancel(1) if number == 5 else None
    bench.submit(job(1, ENDLESS, max_tokens=500), job(2, [*prompt((1, 9)), *ENDLESS], max_tokens=3))
    bench.run()
    after = [event for decodes, number, event in bench.told if number == 1 and decodes > 6]

    assert [] == after
    assert [2] == bench.order()
    assert 6 + 3 == len(context.rounds)


def test_a_waiting_request_can_be_cancelled(make: Make, endless_model: Path) -> None:
    """It is never begun."""
    context = make(endless_model)
    bench = Bench(context, parallel=1)
    context.before = lambda number: bench.cancel(2) if number == 1 else None
    bench.submit(job(1, ENDLESS, max_tokens=5), job(2, ENDLESS, max_tokens=5))
    bench.run()

    assert [1] == bench.order()
    assert [Waiting(0)] == bench.events(2)


def test_a_deadline_ends_the_text_where_it_is(make: Make, endless_model: Path) -> None:
    """A running answer ends with what it has; a waiting request fails with a sentence."""
    context = make(endless_model)
    bench = Bench(context, parallel=1)
    running, waiting = job(1, ENDLESS, max_tokens=500), job(2, ENDLESS, max_tokens=500)

    def pass_deadlines(number: int) -> None:
        if number == 7:
            running.deadline = waiting.deadline = time.monotonic()

    context.before = pass_deadlines
    bench.submit(running, waiting)
    bench.run()

    assert ("deadline", "y" * 8) == (bench.finished(1).reason, bench.text(1))
    assert isinstance(bench.events(2)[-1], UnavailableError)
    assert 8 == len(context.rounds)


def test_what_can_never_fit_is_refused_at_once(make: Make, random_model: Path) -> None:
    """A prompt larger than the whole cache fails with both numbers and the setting; others go on."""
    bench = Bench(make(random_model, cells=512))
    bench.submit(job(1, prompt((1, 600))), job(2, prompt((2, 10))))
    bench.run()
    (refused,) = bench.events(1)

    assert isinstance(refused, InvalidRequestError)
    assert "600 tokens" in str(refused)
    assert "LOCUS_MODEL_CACHE_TOKENS" in str(refused)
    assert "length" == bench.finished(2).reason


def test_a_wrong_grammar_fails_its_own_request_only(make: Make, endless_model: Path) -> None:
    """The sentence names the notation; the request beside it is answered."""
    bench = Bench(make(endless_model))
    bench.submit(job(1, ENDLESS, grammar=TokenGrammar("root ::= nowhere")), job(2, ENDLESS, max_tokens=3))
    bench.run()

    assert isinstance(bench.events(1)[-1], InvalidRequestError)
    assert "yyy" == bench.text(2)


# How the next token is chosen


def written(context: WatchedContext, sampling: Sampling, count: int = 24) -> str:
    """The text of one request on a fixed prompt."""
    bench = Bench(context)
    bench.submit(job(1, prompt((7, 12)), sampling, max_tokens=count))
    bench.run()
    context.cut_sequence(0, 0)
    return bench.text(1)


HOT = replace(GREEDY, temperature=1.5, seed=3)


@pytest.mark.parametrize(
    "sampling",
    [
        replace(GREEDY, seed=9),
        replace(HOT, top_k=1),
        replace(HOT, top_p=0.0001),
        replace(HOT, min_p=1.0),
        replace(HOT, temperature=0.0001),
    ],
    ids=["temperature 0", "top-k 1", "top-p near 0", "min-p 1", "temperature near 0"],
)
def test_each_filter_at_its_end_is_greedy(make: Make, random_model: Path, sampling: Sampling) -> None:
    """Where only the likeliest token stays, the seed changes nothing; without the filter the text is another one."""
    context = make(random_model)
    greedy = written(context, GREEDY)

    assert greedy == written(context, sampling)
    assert greedy != written(context, HOT)


def test_a_seed_repeats_a_text(make: Make, random_model: Path) -> None:
    """The same seed gives the same text, another one another."""
    context = make(random_model)
    texts = [written(context, replace(HOT, seed=seed)) for seed in (1, 2, 1)]

    assert texts[0] == texts[2]
    assert texts[0] != texts[1]


def test_the_repetition_penalty_keeps_tokens_from_coming_again(make: Make, random_model: Path) -> None:
    """A model that repeats itself without it uses each token once under a strong one."""
    repeated = []
    for penalty in (1.0, 1000.0):
        context = make(random_model, cells=512)
        written(context, replace(GREEDY, repetition_penalty=penalty), 60)
        tokens = [token for (token,) in context.tokens[1:]]
        repeated.append(len(tokens) - len(set(tokens)))

    assert repeated[0] > 0
    assert 0 == repeated[1]


def test_a_text_ends_by_itself_at_its_limit_or_at_a_stop_string(make: Make, tmp_path: Path) -> None:
    """Three reasons, and the stop string is left out although it came in two tokens."""
    context = make(write_chain_gguf(tmp_path / "m.gguf", [*">abcdef"]))
    bench = Bench(context)
    begin = [token_of(">")]
    bench.submit(
        job(1, begin, max_tokens=50),
        job(2, begin, max_tokens=2),
        job(3, begin, replace(GREEDY, stop=("zzz", "de")), max_tokens=50),
    )
    bench.run()

    assert [("abcdef", "stop"), ("ab", "length"), ("abc", "stop")] == [
        (bench.text(number), bench.finished(number).reason) for number in (1, 2, 3)
    ]
    assert Usage(1, 0, 6) == bench.finished(1).usage


def test_what_is_written_is_told_with_its_decode(make: Make, endless_model: Path) -> None:
    """Text streams: each token is told before the decode after the next."""
    bench = Bench(make(endless_model))
    bench.submit(job(1, ENDLESS, max_tokens=5))
    bench.run()
    decodes = [number for number, _, event in bench.told if isinstance(event, Text)]

    assert [1, 2, 3, 4, 5] == decodes


# Grammars


def test_a_lazy_grammar_begins_at_its_trigger(make: Make, tmp_path: Path) -> None:
    """Before the trigger the model writes freely; behind it only what the grammar allows."""
    context = make(write_chain_gguf(tmp_path / "m.gguf", [*">ab#cd"]))
    begin = [token_of(">")]
    bench = Bench(context)
    bench.submit(
        job(1, begin, grammar=TokenGrammar('root ::= "#" [0-9] [0-9]', ("(#)$",)), max_tokens=20),
        job(2, begin, max_tokens=20),
    )
    bench.run()
    text = bench.text(1)

    assert "ab#cd" == bench.text(2)
    assert "ab#" == text[:3]
    assert text[3:].isdigit()
    assert (5, "stop") == (len(text), bench.finished(1).reason)


def test_a_model_that_cannot_obey_its_grammar_ends(make: Make, endless_model: Path) -> None:
    """Where no token is allowed, the text stops, and the process lives."""
    bench = Bench(make(endless_model))
    bench.submit(job(1, ENDLESS, grammar=TokenGrammar('root ::= "y" "y"'), max_tokens=20))
    bench.run()

    assert ("yy", "stop") == (bench.text(1), bench.finished(1).reason)


def test_the_batch_holds_what_was_put_in() -> None:
    """`prompt` draws the same tokens for the same seed, on which the counts above rest."""
    assert np.array_equal(prompt((1, 5), (2, 5)), [*prompt((1, 5)), *prompt((2, 5))])
