"""Conversations set aside in main memory, on the real llama.cpp with a random model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.engine.parking import ParkedSequence, Parking
from bot.generation import Sampling
from tests.engines import Bench, WatchedContext, job
from tests.gguf_models import write_random_gguf
from tests.integration.test_batching import Make, make, prompt

__all__ = ["make"]  # the fixture that closes contexts

ROOM = 64 * 1024 * 1024
VARIED = Sampling(1.0, 0, 1.0, 0.0, 1.0, seed=3, max_tokens=24)


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf", context=8192)


def crowd(context: WatchedContext, first: int, names: str) -> Bench:
    """Run a turn of several conversations that share a beginning of 100 tokens."""
    bench = Bench(context)
    for number, name in enumerate(names, start=first):
        tokens = prompt((0, 100), (ord(name), 150))
        bench.submit(job(number, tokens, VARIED, user=name, conversation=name))
    bench.run()
    return bench


def test_only_the_shared_beginning_stays_in_the_cache(make: Make, random_model: Path) -> None:
    """After three conversations the cells hold the last one, with what all of them share; the rest is set aside."""
    bench = crowd(make(random_model, parking_bytes=ROOM), 0, "abc")
    last = bench.finished(2).usage

    assert last.prompt_tokens + last.new_tokens - 1 <= bench.loop.load.cells_used <= 250 + 24
    assert 1 + 3 == bench.loop.load.kept


def test_a_beginning_seen_once_is_there_for_those_who_come_next(make: Make, random_model: Path) -> None:
    """What one person was just told about need not be read again for the next ones, whatever was asked before."""
    bench = Bench(make(random_model, parking_bytes=ROOM), parallel=1)
    for number in range(10):
        bench.submit(job(number, prompt((50 + number, 120)), VARIED))
    bench.submit(*(job(number, prompt((1, 150), (number, 20)), VARIED) for number in (10, 11, 12)))
    bench.run()

    assert [0, 150, 150] == [bench.finished(number).usage.cached_tokens for number in (10, 11, 12)]


def test_what_nobody_shares_is_gone_when_the_next_answer_begins(make: Make, random_model: Path) -> None:
    """While a question of other beginning is answered, the cells hold nothing of those before."""
    context = make(random_model, parking_bytes=ROOM)
    bench = Bench(context, parallel=1)
    used: list[int] = []
    context.before = lambda _number: used.append(bench.loop.load.cells_used)
    bench.submit(*(job(number, prompt((60 + number, 120)), VARIED) for number in range(3)))
    bench.run()

    assert max(used) <= 120 + 24


def test_a_conversation_set_aside_comes_back_whole(make: Make, random_model: Path) -> None:
    """Its next question finds prompt and answer computed, and is answered as if nothing had been moved."""
    texts = []
    for parking_bytes in (0, ROOM):
        bench = Bench(make(random_model, parking_bytes=parking_bytes), parallel=1)
        first = prompt((0, 100), (1, 150))
        bench.submit(
            job(0, first, VARIED, conversation="a"),
            job(1, prompt((0, 100), (2, 150)), VARIED, conversation="b"),
            job(2, [*first, *prompt((3, 40))], VARIED, conversation="a"),
        )
        bench.run()
        texts.append(bench.text(2))

        assert [0, 100, 250] == [bench.finished(number).usage.cached_tokens for number in range(3)]
    assert texts[0] == texts[1]


def test_a_conversation_without_a_name_is_not_set_aside(make: Make, random_model: Path) -> None:
    """Nobody could ask for it again."""
    bench = Bench(make(random_model, parking_bytes=ROOM))
    for number in range(3):
        bench.submit(job(number, prompt((0, 100), (number + 1, 150)), VARIED))
    bench.run()

    assert 250 + 24 >= bench.loop.load.cells_used
    assert 1 == bench.loop.load.kept


def test_the_least_recently_used_one_goes_when_memory_is_full() -> None:
    """What does not fit at all is not kept and drives nothing out."""
    parking = Parking(250)
    tokens = np.zeros(1, dtype=np.int32)
    for name in "abc":
        parking.add(name, ParkedSequence(tokens, bytes(100)))
    parking.add("large", ParkedSequence(tokens, bytes(300)))

    assert [False, True, True, False] == [parking.find(name) is not None for name in ("a", "b", "c", "large")]
    assert parking.take("b") is not None
    parking.add("d", ParkedSequence(tokens, bytes(150)))
    assert [True, True] == [parking.find(name) is not None for name in "cd"]
