"""The engine benchmark's own judgement: targets, the floor, token counts and the peers' condition."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="needs the extra 'llama'")

from benchmarks.engine import _numbers
from benchmarks.engine_contenders import Timing
from benchmarks.engine_loads import Load, State, measure
from benchmarks.engine_model import TEMPLATE, Prompt, PromptMaker
from benchmarks.engine_rates import Rates, _rows
from benchmarks.goals import Goal
from benchmarks.peers import TARGETS, Peers, find_peers
from benchmarks.report import Report
from tests.gguf_models import write_random_gguf

RATES = Rates({"auto": 300.0, "off": 250.0}, {"auto": {8: 100.0}, "off": {8: 90.0}})
LOAD = Load(8, 512, 128, 48)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PromptMaker]:
    """A maker on a small model whose vocabulary is like the large one's."""
    made = PromptMaker(write_random_gguf(tmp_path_factory.mktemp("bench") / "model.gguf", template=TEMPLATE))
    yield made
    made.close()


class Recorder:
    """A contender that remembers what it was asked and takes as long as told."""

    slots = 2

    def __init__(self, name: str, seconds: Sequence[float], journal: list[str]) -> None:
        self.name = name
        self.warmed: list[list[Prompt]] = []
        self.asked: list[list[Prompt]] = []
        self._seconds = iter(seconds)
        self._journal = journal

    async def answer(self, prompts: Sequence[Prompt], new_tokens: int, *, seed: int = 0) -> Timing:
        self.asked.append(list(prompts))
        self._journal.append(self.name)
        seconds = next(self._seconds)
        return Timing((seconds / 2, seconds / 4), (seconds, seconds / 2))

    async def warm(self, prompts: Sequence[Prompt]) -> None:
        self.warmed.append(list(prompts))


@pytest.mark.parametrize(
    ("goal", "ratio", "floor", "expected"),
    [
        (Goal(at_least=0.95), 0.95, 0.0, ("≥ 0.95", "met")),
        (Goal(at_least=0.95), 0.94, 0.0, ("≥ 0.95", "not met")),
        (Goal(at_most=0.45), 0.45, 0.40, ("≤ 0.45", "met")),
        (Goal(at_most=0.45), 0.46, 0.40, ("≤ 0.45", "not met")),
        (Goal(at_most=0.45), 0.54, 0.50, ("≤ 0.55 (floor; 0.45 asked)", "met")),
        (Goal(at_most=0.45), 0.56, 0.50, ("≤ 0.55 (floor; 0.45 asked)", "not met")),
    ],
)
def test_a_ratio_is_judged_and_the_floor_decides_where_it_forbids(
    goal: Goal, ratio: float, floor: float, expected: tuple[str, str]
) -> None:
    """A bound below 1.10 of the floor gives way to it; any other stays."""
    assert expected == goal.judged(ratio, floor)


@pytest.mark.parametrize(("state", "prompt_tokens"), [("cold", 512 + 8 * 128), ("once", 8 * 128), ("each", 8 * 128)])
def test_the_floor_counts_a_shared_beginning_once_or_not_at_all(state: State, prompt_tokens: int) -> None:
    """Prompt tokens over the reading rate, new tokens over the writing rate of that many chats."""
    assert prompt_tokens / 300 + 8 * 48 / 100 == pytest.approx(LOAD.floor_s(RATES, state))


def test_prompts_have_exact_token_counts_and_share_only_their_beginning(maker: PromptMaker) -> None:
    """The peers read the very tokens that Locus makes of the text."""
    prefix = maker.opening(100)
    prompts = maker.chats(prefix, 20, 30)

    assert 100 == len(maker.prompt(prefix).tokens)
    assert {120} == {len(prompt.tokens) for prompt in prompts}
    assert 1 == len({prompt.tokens[:100] for prompt in prompts})
    assert 30 == len({prompt.tokens[100] for prompt in prompts})


async def test_contenders_alternate_and_every_run_has_a_new_beginning(maker: PromptMaker) -> None:
    """Repetition by repetition, warmed as the state says; medians of the runs come back."""
    journal: list[str] = []
    one, two = Recorder("one", [4, 8, 5], journal), Recorder("two", [2, 3, 1], journal)
    measured = await measure([(one, "cold"), (two, "each")], maker, Load(2, 50, 10, 4), repetitions=3)

    assert ["one", "two"] * 3 == journal
    assert [(5, 1.875, 2.5), (2, 0.75, 1.0)] == [(m.total, m.mean_first, m.last_first) for m in measured]
    assert [] == one.warmed
    assert [2, 2, 2] == [len(prompts) for prompts in two.warmed]
    assert [prompts[0].tokens[:50] for prompts in two.warmed] == [prompts[0].tokens[:50] for prompts in two.asked]
    assert 6 == len({prompts[0].tokens[:50] for prompts in [*one.asked, *two.asked]})


def test_only_figures_are_read_of_what_the_programs_print() -> None:
    """Log lines and texts are passed over."""
    assert [{"pl": 8, "speed_tg": 117.5}] == _rows('AMX is not ready\n{"pl": 8, "speed_tg": 117.5, "model": "x"}\n')


def test_peers_run_behind_the_filter_only_without_the_tiles(tmp_path: Path) -> None:
    """The same command line, behind a launcher where AMX is out of the question."""
    program = str(tmp_path / "llama-bench")

    assert [program, "-r", "1"] == Peers(tmp_path).command("llama-bench", "-r", "1")
    assert [sys.executable, "-m", "benchmarks.without_amx", program, "-r", "1"] == Peers(tmp_path, amx=False).command(
        "llama-bench", "-r", "1"
    )


def test_a_folder_of_peers_must_hold_all_programs(tmp_path: Path) -> None:
    """What is missing is named; a complete folder is taken."""
    for name in TARGETS[:2]:
        (tmp_path / name).touch()

    with pytest.raises(SystemExit, match="lacks llama-server"):
        find_peers(Report(), tmp_path)

    (tmp_path / TARGETS[2]).touch()

    assert Peers(tmp_path) == find_peers(Report(), tmp_path)


def test_building_needs_cmake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the sentence says what to install or name."""
    monkeypatch.setattr("benchmarks.peers.CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match="needs cmake.*--peers"):
        find_peers(Report(), None)


def test_slots_are_a_list_of_numbers() -> None:
    """Sorted, each once; anything else is refused in words."""
    assert (1, 4, 8) == _numbers("8,1,4,8")
    for wrong in ("", "a", "0,8"):
        with pytest.raises(argparse.ArgumentTypeError, match="slot|numbers"):
            _numbers(wrong)
