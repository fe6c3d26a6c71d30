"""A small soak, as `make soak` runs a large one: real processes, real Redis, real signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.burst import run_burst
from tests.soak.chat import Chat
from tests.soak.checker import Ending
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


@pytest.mark.parametrize("chat", [ScriptedSoakChat, small_slack], ids=["scripted", "slack"])
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


async def test_a_burst_is_answered_or_politely_refused(tmp_path: Path, index: Path) -> None:
    """Of many questions within a second some are answered and all others get a sentence; no one waits in silence."""
    outcome = await run_burst(
        tmp_path, index, questions=200, users=40, channels=10, seed=3, settings={"LOCUS_QUEUE_LIMIT": "20"}
    )

    assert [] == list(outcome.violations)
    assert {Ending.ANSWER, Ending.REFUSED} == set(outcome.endings)
    assert 200 == outcome.endings.total()
