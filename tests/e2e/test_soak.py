"""A small soak, as `make soak` runs a large one: real processes, real Redis, real signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON
from tests.soak.burst import run_burst
from tests.soak.chat import Chat
from tests.soak.checker import Ending
from tests.soak.matrix_chat import MatrixSoakChat
from tests.soak.matrix_figures import FigureSizes, figure_rows, measure
from tests.soak.plan import Sizes
from tests.soak.run import Hardships, run_soak
from tests.soak.scripted_chat import ScriptedSoakChat
from tests.soak.slack_chat import SlackSoakChat
from tests.soak.stage import make_index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index."""
    data_dir = tmp_path_factory.mktemp("soak") / "data"
    make_index(data_dir)
    return data_dir


def small_slack(seed: int) -> Chat:
    """A Slack whose limits and pauses are shorter than life; the last one is for a machine that is busy."""
    return SlackSoakChat(seed, speed=15.0, retry_after_s=(0.0, 4.0, 60.0))


needs_synapse = pytest.mark.skipif(not SYNAPSE_PYTHON.exists(), reason=MISSING)


@pytest.mark.parametrize(
    "chat",
    [
        pytest.param(ScriptedSoakChat, id="scripted"),
        pytest.param(small_slack, id="slack"),
        pytest.param(MatrixSoakChat, id="matrix", marks=needs_synapse),
    ],
)
async def test_questions_survive_kills_and_a_restart_of_redis(
    tmp_path: Path, index: Path, chat: Callable[[int], Chat]
) -> None:
    """Every question has one visible final answer of its own, in order, and nothing is left behind."""
    sizes = Sizes(questions=30, conversations=10, users=8, duration_s=12.0, edited=0.1, deleted=0.1, stopped=0.1)
    hardships = Hardships(replicas=2, kills=5, blackouts=1, redis_restarts=1, chat_outages=1, patience_s=120.0)

    outcome = await run_soak(tmp_path, index, chat(3), sizes, hardships, seed=3, settings={"LOCUS_LEASE_S": "2"})

    assert [] == list(outcome.violations)
    assert [] == outcome.leftovers.leaked
    assert [] == list(outcome.crashes)
    assert 0 == outcome.texts_in_logs
    assert 5 <= sum(one.killed for one in outcome.exits)
    assert 30 == len(outcome.questions)


@needs_synapse
async def test_figures_of_matrix_are_measured(tmp_path: Path, index: Path) -> None:
    """First words in plain and encrypted rooms, every room's question answered, every message accepted."""
    sizes = FigureSizes(asked=2, rooms=6, people=3, active_s=3.0)

    figures = await measure(tmp_path / "figures", index, sizes, seed=3)

    assert [2, 2] == [len(figures.first_word_ms[kind]) for kind in ("plain", "encrypted")]
    assert (6, 12, 0) == (figures.answered, figures.written, figures.unaccepted)
    assert all(taken > 0 for taken in figures.retrieval_ms)
    assert "memory without a model, peak" in [name for name, *_ in figure_rows(figures)]


async def test_a_burst_is_answered_or_politely_refused(tmp_path: Path, index: Path) -> None:
    """Of many questions within a second some are answered and all others get a sentence; no one waits in silence."""
    outcome = await run_burst(
        tmp_path, index, questions=200, users=40, channels=10, seed=3, settings={"LOCUS_QUEUE_LIMIT": "20"}
    )

    assert [] == list(outcome.violations)
    assert {Ending.ANSWER, Ending.REFUSED} == set(outcome.endings)
    assert 200 == outcome.endings.total()
